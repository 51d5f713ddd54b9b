"""`lodescan compare`: what two runs found, and how far their good regions agree."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from proposer.__main__ import main
from proposer.show.comparison import Run, share_in
from proposer.space import Space
from proposer.types import Floats
from scanspec.variables import PriorKind, Variable
from tests.proposer.runs import make_run


def run_with(good: Floats, prior: PriorKind = PriorKind.UNIFORM, low: float = 0.0, high: float = 1.0) -> Run:
    """A run with these good points, shape (m, d)."""
    variables = [Variable(f"x{k}", low, high, prior=prior) for k in range(good.shape[1])]
    return Run(Path("run"), Space(variables), [], facts={}, points={}, good=good)


@pytest.mark.parametrize("dim", [1, 2, 5, 10])
def test_equal_regions_lie_in_each_other(dim: int) -> None:
    rng = np.random.default_rng(dim)
    first, second = (run_with(rng.random((1000, dim))) for _ in range(2))
    assert share_in(first, second) == pytest.approx(0.95, abs=0.03)
    assert share_in(second, first) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_half_of_a_region_is_half_of_it(dim: int) -> None:
    rng = np.random.default_rng(dim)
    whole, half = rng.random((1000, dim)), rng.random((1000, dim)) * ([0.5] + [1.0] * (dim - 1))
    assert share_in(run_with(whole), run_with(half)) == pytest.approx(0.5, abs=0.08)
    assert share_in(run_with(half), run_with(whole)) > 0.9


def test_a_region_that_was_not_found_is_not_in_the_other() -> None:
    rng = np.random.default_rng(1)
    here, there = rng.random((300, 3)) * 0.2, 0.8 + rng.random((300, 3)) * 0.2
    assert share_in(run_with(np.concatenate([here, there])), run_with(here)) == pytest.approx(0.5, abs=0.05)
    assert share_in(run_with(there), run_with(here)) == 0.0


def test_distances_are_those_of_the_prior() -> None:
    rng = np.random.default_rng(2)
    decades = 10.0 ** rng.uniform(-6, 0, (2000, 2))
    low = decades[(decades < 1e-3).all(axis=1)]
    every, part = (run_with(good, PriorKind.LOG_UNIFORM, 1e-6, 1.0) for good in (decades, low))
    assert share_in(every, part) == pytest.approx(0.25, abs=0.06)


def test_runs_may_have_other_ranges_and_priors() -> None:
    rng = np.random.default_rng(4)
    positive = run_with(rng.uniform(0.1, 1.0, (500, 2)), PriorKind.LOG_UNIFORM, 0.01, 1.0)
    either_sign = run_with(rng.uniform(-1.0, 1.0, (2000, 2)), low=-1.0)
    negative = run_with(rng.uniform(-1.0, -0.1, (500, 2)), low=-1.0)
    assert share_in(positive, either_sign) > 0.9
    assert share_in(either_sign, positive) == pytest.approx(0.45**2, abs=0.06)
    assert share_in(positive, negative) == 0.0


def test_few_good_points_show_no_region() -> None:
    rng = np.random.default_rng(3)
    assert share_in(run_with(rng.random((9, 2))), run_with(rng.random((100, 2)))) is None
    assert share_in(run_with(rng.random((100, 2))), run_with(rng.random((9, 2)))) is None
    assert share_in(run_with(np.empty((0, 2))), run_with(rng.random((100, 2)))) is None


def test_each_run_is_described_by_its_own_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / name, seed=seed) for name, seed in (("a", 5), ("b", 6))]
    assert main(["compare", *map(str, runs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for run, facts in zip(runs, found["runs"], strict=True):
        assert main(["export", str(run)]) == 0
        with (run / "points.csv").open() as file:
            rows = list(csv.DictReader(file))
        hits = [row for row in rows if row["status"] == "OK" and float(row["NLL"]) < 3]
        assert len(hits) == facts["good"] > 100
        for name, ends in facts["ranges_of_good"].items():
            values = [float(row[name]) for row in hits]
            assert ends == [min(values), max(values)]
        best = min((row for row in rows if row["status"] == "OK"), key=lambda row: float(row["NLL"]))
        assert facts["best_point"] == {"id": int(best["id"]), **{x: float(best[x]) for x in facts["ranges_of_good"]}}
        assert facts["evaluations_to_good"] == {str(n): int(hits[n - 1]["id"]) for n in (1, 10, 100)}
        for origin, counts in facts["origins"].items():
            assert counts["points"] == sum(row["origin"] == origin for row in rows)
            assert counts["good"] == sum(row["origin"] == origin for row in hits)
    assert min(found["good_in_region_of_other"]) > 0.85

    capsys.readouterr()
    assert main(["compare", *map(str, runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("evaluations to 100 good ") for line in lines)
    assert any(
        line.endswith(f"of the good points of {runs[0]} lie in the region that {runs[1]} found") for line in lines
    )


def test_observables_of_one_run_alone_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make_run(tmp_path / "a", 60), make_run(tmp_path / "b", 60, other="another")
    assert main(["compare", str(first), str(second)]) == 0
    said = capsys.readouterr().out
    assert "  radius: 1, 1, 1; 0" in said
    assert said.splitlines()[-2:] == [
        f"not compared, only in {first}: other",
        f"not compared, only in {second}: another",
    ]


def test_no_evaluator_is_asked_for_files_that_no_code_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run")
    assert main(["export", str(run), "--format", "slha", "--evaluator", "127.0.0.1:1", "--wait", "0"]) == 0
    assert "there are none to make: the codes of this scan write no SLHA files" in capsys.readouterr().out
