"""A kind of physics code from another package, with both sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluator.harness import install_kind
from tests.pair.conftest import EvaluatorProcess, Said, read_run
from tests.pair.processes import ROOT

SCAN = """\
setup: {run_name: rows, type: RANDOM, points: 1000, max_evaluations: 8, seed: 3}
variables: {x: [0, 10]}
codes:
  rows:
    nearest_row: {file: rows.csv, column: x}
    timeout: 5
    observables:
      y: {mean: 20, sigma: 5}
  more:
    function: more:more
    conditions: [distance < 1]
    observables: {twice: }
observables:
  sum: {function: y + twice, mean: 60, sigma: 20}
"""


def test_the_proposer_without_the_package_scans_with_the_evaluator_that_has_it(
    tmp_path: Path,
    start_evaluator: Callable[..., EvaluatorProcess],
    lodescan: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "scan.yaml").write_text(SCAN)
    (tmp_path / "rows.csv").write_text("x,y\n1,10\n4,20\n9,30\n")
    (tmp_path / "more.py").write_text("def more(point):\n    return {'twice': 2 * point['y']}\n")
    install_kind(tmp_path / "packages", ROOT / ".envs/evaluator/bin/python")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "packages"))
        evaluator = start_evaluator(tmp_path / "scan.yaml", workers=1)
    said = lodescan("scan", tmp_path / "scan.yaml", "--evaluator", evaluator.address, "--run", tmp_path / "run")
    assert said.code in (0, 3), said.err
    points = read_run(tmp_path / "run")
    assert len(points.ids) == 8
    for (x,), status, observables in zip(points.params, points.status, points.observables, strict=True):
        nearest, y = min([(1, 10), (4, 20), (9, 30)], key=lambda case: abs(case[0] - x))
        assert status == ("OK" if abs(nearest - x) < 1 else "INVALID")
        assert observables[0] == y
    assert {"OK", "INVALID"} <= set(points.status)
