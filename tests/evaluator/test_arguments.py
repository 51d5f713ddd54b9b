"""Functions whose arguments are variables and earlier observables."""

from __future__ import annotations

import sys

import pytest

from evaluator.chain import Status

SCAN = """\
variables: {m0: [1, 2], m12: [1, 2]}
codes:
  masses: {function: by_name:masses, observables: {mh: {mean: 1, sigma: 1}}}
  relic: {function: by_name:relic, observables: {omega: {mean: 1, sigma: 1}}}
"""
CODE = """\
def masses(m12, m0=5.0, loops=2):
    return {"mh": 10 * m0 + m12 + 100 * loops}
def relic(mh, *, m0):
    return {"omega": mh / m0}
"""
DECORATED = """\
import functools
def by_point(function):
    @functools.wraps(function)
    def inner(point):
        return function(point["m0"], point["m12"])
    return inner
def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner
@by_point
def masses(first, second):
    return {"mh": first + second}
@logged
def relic(mh, m0, /):
    return {"omega": mh / m0}
"""
OLD_AND_OWN = """\
def masses(m0):
    return {"mh": m0["m0"] + m0["m12"]}
def relic(m0, omega=5.0):
    return {"omega": m0 + omega}
"""


@pytest.mark.parametrize(("code", "message"), [(CODE, ""), (CODE.replace("mh / m0", "mh / m0x"), "NameError")])
def test_a_function_may_take_variables_and_earlier_observables(scan_file, chain, tmp_path, monkeypatch, code, message):
    monkeypatch.delitem(sys.modules, "by_name", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    outcome = chain(scan_file(SCAN, by_name__py=code)).evaluate([2.0, 1.5], tmp_path / "s")
    if message:
        assert outcome.status is Status.FAILED
        assert message in outcome.message and "by_name.py, line 4" in outcome.message
    else:
        assert outcome.status is Status.OK and outcome.observables == [221.5, 110.75]


@pytest.mark.parametrize(("code", "observables"), [(DECORATED, [3.5, 1.75]), (OLD_AND_OWN, [3.5, 7.0])])
def test_decorated_functions_and_functions_of_a_point_are_called_correctly(
    scan_file, chain, tmp_path, monkeypatch, code, observables
):
    monkeypatch.delitem(sys.modules, "by_name", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    outcome = chain(scan_file(SCAN, by_name__py=code)).evaluate([2.0, 1.5], tmp_path / "s")
    assert (outcome.status, outcome.message, list(outcome.observables)) == (Status.OK, "", observables)
