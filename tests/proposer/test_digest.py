"""The digest of a user's function: what changes the answers changes it, and it is the same in every process."""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from proposer.evaluation.digest import digest_of

SCALE = 2.0
LOCK = threading.Lock()


def plain(point):
    return {"r": math.hypot(point["x"], point["y"])}


def shifted(point, by=0.0):
    return {"r": point["x"] + by}


def scaled(point):
    return {"r": SCALE * helper(point["x"])}


def helper(x):
    with LOCK:
        return x + OFFSET["x"]


OFFSET = {"x": 1.0}


class Model:
    def __init__(self, masses):
        self.masses, self.itself = masses, self

    def __call__(self, point):
        return {"r": float(self.masses @ [point["x"], 1.0])}

    def other(self, point):
        return self(point)


def closing_over(value):
    def inner(point):
        return {"r": point["x"] * value}

    return inner


def without_source(text, **named):
    found = dict(named)
    exec(text, found)
    return found["f"]


CHANGES = {
    "argument of a partial": lambda by: functools.partial(shifted, by=by),
    "positional argument of a partial": lambda by: functools.partial(lambda by, point: by, by),
    "partial of a partial": lambda by: functools.partial(functools.partial(shifted, by=by)),
    "state of an object": lambda by: Model(np.array([1.0, by])),
    "object of a method": lambda by: Model(np.array([1.0, by])).other,
    "closure": closing_over,
    "closure over a function": lambda by: closing_over(closing_over(by)),
    "cached function": lambda by: functools.lru_cache(closing_over(by)),
    "set": lambda by: functools.partial(shifted, by={"a", "b", by}),
    "constant without source": lambda by: without_source(f"def f(point):\n    return {{'r': point['x'] * {by}}}\n"),
    "default without source": lambda by: without_source(f"by = {by}\ndef f(point, by=by):\n    return {{'r': by}}\n"),
    "class without source": lambda by: without_source(
        f"class C:\n def __call__(self, point): return {by}\nf = C()\n", __name__="made"
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_it_changes_with_what_determines_the_answers(kind: str) -> None:
    make = CHANGES[kind]
    assert digest_of(make(1.0)) == digest_of(make(1.0)) != digest_of(make(1.5))


def test_globals_count_also_those_of_functions_that_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [digest_of(scaled)]
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 3.0)
    found.append(digest_of(scaled))
    monkeypatch.setitem(OFFSET, "x", 2.0)
    found.append(digest_of(scaled))
    monkeypatch.setattr(sys.modules[__name__], "helper", plain)
    found.append(digest_of(scaled))
    assert len(set(found)) == 4


def test_a_function_that_takes_nothing_along_has_that_of_its_source() -> None:
    assert digest_of(plain) == hashlib.sha256(inspect.getsource(plain).encode()).hexdigest()


SCRIPT = """
import functools
from tests.proposer.test_digest import CHANGES, Model, plain, scaled
from proposer.evaluation.digest import digest_of
print(*(digest_of(make(1.0)) for make in CHANGES.values()), digest_of(scaled), digest_of(plain))
"""


@pytest.mark.slow
def test_it_is_the_same_in_every_process() -> None:
    here = [digest_of(make(1.0)) for make in CHANGES.values()] + [digest_of(scaled), digest_of(plain)]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ".:proto"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == here
