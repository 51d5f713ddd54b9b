"""What a function replaces in Python's own modules is put back, with and without CPython's number of changes."""

import math
import operator
import random
import time

import pytest

from evaluator.executors import names
from evaluator.executors.names import Names, version_of

CHANGES = {
    "another value": lambda space: space.update(a=1),
    "a value of its own": lambda space: operator.setitem(space, "a", [1]),
    "a new name": lambda space: space.update(c=None),
    "a name less": lambda space: space.pop("b"),
    "nothing left": lambda space: space.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_has_a_version_of_its_own(change):
    space = {"a": None, "b": None}
    version = version_of(space)
    if version is None:
        pytest.skip("this Python has no versions")
    before = version.value
    assert list(space.items()) == [("a", None), ("b", None)]
    assert version.value == before
    change(space)
    assert version.value != before


@pytest.mark.parametrize("has_versions", [True, False])
def test_what_was_replaced_is_put_back_each_time(monkeypatch, has_versions):
    if not has_versions:
        monkeypatch.setattr(names, "version_of", lambda space: None)
    meant = math.exp, time.sleep, random.random
    kept = Names()
    for _ in range(2):
        vars(math).update(exp=None, of_a_point=1)
        vars(random).update(random=None)
        del time.sleep
        kept.restore()
        assert (math.exp, time.sleep, random.random) == meant
        assert vars(math)["of_a_point"] == 1  # what is added harms nobody
    del vars(math)["of_a_point"]


@pytest.mark.parametrize("has_versions", [True, False])
def test_what_is_noted_is_meant_from_then_on(monkeypatch, has_versions):
    if not has_versions:
        monkeypatch.setattr(names, "version_of", lambda space: None)
    kept = Names()
    monkeypatch.setattr(time, "sleep", int)
    kept.note()
    kept.restore()
    assert time.sleep is int
    vars(time)["sleep"] = None
    kept.restore()
    assert time.sleep is int
