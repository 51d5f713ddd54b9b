"""The digest of a user's function changes with all that changes its answers, and is the same in every process."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import math
import re
import subprocess
import sys
import threading
from os import environ
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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


@dataclasses.dataclass(slots=True)
class Slotted:
    value: float


class Answering:
    """Gives a value for every attribute."""

    def __getattr__(self, name):
        return Answering()


class Friend:
    def __init__(self):
        self.friends: Any = []


def in_a_set(value):
    one, other = Friend(), Friend()
    one.friends, other.friends = {other}, [one, value]
    return functools.partial(shifted, by=one)


def of_many_friends(count):
    friends = [Friend() for _ in range(count)]
    for friend in friends:
        friend.friends = list(friends)
    return functools.partial(shifted, by=friends)


def deep():
    found: list[Any] = []
    for _ in range(10_000):
        found = [found]
    return functools.partial(shifted, by=found)


def of_numpy(point):
    return {"r": sine(point["x"]) + LIBRARY.random() + len(NAMES) + float(environ.get("HOME", "0"))}


LIBRARY, NAMES = np.random.default_rng(), dict.fromkeys({"a", "b", "c", "d", "e"}, 0)
sine = np.sin


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
    "pattern": lambda by: functools.partial(shifted, by=re.compile(str(by))),
    "table": lambda by: functools.partial(shifted, by=pd.DataFrame({"m": [1.0, by], "name": ["a", "b"]})),
    "slots": lambda by: functools.partial(shifted, by=Slotted(by)),
    "dictionary in another order": lambda by: functools.partial(shifted, by={"a": 1, "b": by}),
    "constant without source": lambda by: without_source(f"def f(point):\n    return {{'r': point['x'] * {by}}}\n"),
    "default without source": lambda by: without_source(f"by = {by}\ndef f(point, by=by):\n    return {{'r': by}}\n"),
    "class without source": lambda by: without_source(
        f"class C:\n def __call__(self, point): return {by}\nf = C()\n", __name__="made"
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_the_digest_changes_with_everything_that_determines_the_answers(kind: str) -> None:
    make = CHANGES[kind]
    assert digest_of(make(1.0)) == digest_of(make(1.0)) != digest_of(make(1.5))


def test_globals_count_even_those_of_called_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [digest_of(scaled)]
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 3.0)
    found.append(digest_of(scaled))
    monkeypatch.setitem(OFFSET, "x", 2.0)
    found.append(digest_of(scaled))
    monkeypatch.setattr(sys.modules[__name__], "helper", plain)
    found.append(digest_of(scaled))
    assert len(set(found)) == 4


def test_the_digest_of_a_function_without_context_is_that_of_its_source() -> None:
    assert digest_of(plain) == hashlib.sha256(inspect.getsource(plain).encode()).hexdigest()


def test_installed_packages_count_by_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = digest_of(of_numpy)
    LIBRARY.random()
    monkeypatch.setenv("ANOTHER", "1")
    assert digest_of(of_numpy) == found
    monkeypatch.setattr(sys.modules[__name__], "sine", np.cos)
    assert digest_of(of_numpy) != found


def test_the_order_of_a_set_does_not_matter() -> None:
    one, other = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert digest_of(functools.partial(shifted, by=one)) == digest_of(functools.partial(shifted, by=other))


def test_the_statement_around_a_lambda_does_not_matter() -> None:
    one, other = ((lambda point: {"r": point["x"]}), 1), ((lambda point: {"r": point["x"]}), 2)
    assert digest_of(one[0]) == digest_of(other[0])


@pytest.mark.parametrize(
    "code",
    [in_a_set(1), of_many_friends(40), deep(), functools.partial(shifted, by=Answering())],
    ids=["a circle through a set", "many ways to one object", "deep", "any attribute"],
)
def test_any_object_has_a_digest(code) -> None:
    assert len(digest_of(code)) == 64


SCRIPT = """
import functools
from tests.proposer.test_digest import CHANGES, Model, of_numpy, plain, scaled
from proposer.evaluation.digest import digest_of
print(*(digest_of(make(1.0)) for make in CHANGES.values()), digest_of(scaled), digest_of(plain), digest_of(of_numpy))
"""


@pytest.mark.slow
def test_the_digest_is_the_same_in_every_process() -> None:
    here = [digest_of(make(1.0)) for make in CHANGES.values()] + [
        digest_of(scaled),
        digest_of(plain),
        digest_of(of_numpy),
    ]
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
