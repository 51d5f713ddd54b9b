"""A function whose arguments are variables and earlier observables."""

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


@pytest.mark.parametrize(("code", "message"), [(CODE, ""), (CODE.replace("mh / m0", "mh / m0x"), "NameError")])
def test_variables_and_earlier_observables(scan_file, chain, tmp_path, monkeypatch, code, message):
    monkeypatch.delitem(sys.modules, "by_name", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    outcome = chain(scan_file(SCAN, by_name__py=code)).evaluate([2.0, 1.5], tmp_path / "s")
    if message:
        assert outcome.status is Status.FAILED
        assert message in outcome.message and "by_name.py, line 4" in outcome.message
    else:
        assert outcome.status is Status.OK and outcome.observables == [221.5, 110.75]
