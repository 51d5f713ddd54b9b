"""NLLs that do not belong to the observables of their points are told once for each evaluator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.__main__ import main
from proposer.show.recount import Recount
from proposer.strategies.choice import TYPES
from proposer.types import Observable, Outcome, Status
from scanspec import Kind, Likelihood
from scanspec.likelihoods import losses_and_nll
from scanspec.terms import Term, TermKind, work_out
from tests.proposer.hostile import GAUSS, Honest, good, listening

GAUSS_OF_TWO = Term(TermKind.JOINT_GAUSS, ("a", "b"), (1.0, 2.0), ((0.5, 0.0), (0.2, 0.4)))
OBSERVABLES = [
    Observable("a", "", "code", valid=None, likelihood=Likelihood(Kind.LOWER, 1.0, 0.1)),
    Observable("b", "", "code", valid=None, likelihood=Likelihood()),
    Observable("c", "", "code", valid=None, likelihood=Likelihood(Kind.CFUNCTION, lower=0.0, upper=1.0)),
    Observable("joint", "", "", valid=None, likelihood=Likelihood(Kind.MINUSEXPUSER), term=GAUSS_OF_TWO),
]


def outcome(point: int, values: list[float], nll: float, evaluator: str = "node:1") -> Outcome:
    return Outcome(point, Status.OK, nll=nll, observables=values, evaluator=evaluator)


def points(number: int) -> tuple[list[list[float]], list[float]]:
    rows = np.random.default_rng(1).normal(size=(number, 4)) * [1.0, 3.0, 1e3, 0.0]
    rows[::5, 2] = math.nan
    rows = work_out(["a", "b", "c", "joint"], [one.term for one in OBSERVABLES], rows)
    return rows.tolist(), losses_and_nll([one.likelihood for one in OBSERVABLES], rows)[1].tolist()


def test_nlls_of_their_observables_are_not_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    recount = Recount(OBSERVABLES)
    rows, nlls = points(50)
    rounded = [nll * (1.0 + 1e-8) for nll in nlls]
    recount.answered([outcome(k, row, nll) for k, (row, nll) in enumerate(zip(rows, rounded, strict=True))], [])
    recount.answered([Outcome(51, Status.INVALID, observables=rows[0]), Outcome(52, Status.FAILED)], [])
    recount.answered([outcome(53, [], 3.0)], [])  # of an InitCSV
    Recount([]).answered([outcome(1, [], 0.0)], [])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("lie", [lambda row, nll: (row, 0.0), lambda row, nll: ([*row[:3], row[3] + 0.01], nll + 0.01)])
def test_an_nll_that_is_not_that_of_the_observables_is_told_once_an_evaluator(
    lie: Callable[[list[float], float], tuple[list[float], float]], capsys: pytest.CaptureFixture[str]
) -> None:
    recount = Recount(OBSERVABLES)
    rows, nlls = points(6)
    honest = [outcome(k, row, nll, "b:2") for k, (row, nll) in enumerate(zip(rows, nlls, strict=True))]
    lies = [lie(row, nll) for row, nll in zip(rows, nlls, strict=True)]
    wrong = [outcome(k, row, nll, "a:1") for k, (row, nll) in enumerate(lies)]
    recount.answered([*honest[:3], *wrong[3:], *honest[3:]], [])
    told = capsys.readouterr().err
    assert told.count("the evaluator at a:1 returns NLLs that do not belong to its observables: that of point 3") == 1
    assert "b:2" not in told
    recount.answered(wrong, [])
    assert capsys.readouterr().err == ""


def zero(ids: list[int], values: np.ndarray) -> Iterator[pb.EvaluateResponse]:
    """Answers that every point is perfect, although the observable is a standard deviation off."""
    results = [good(point, losses=[0.0], nll=0.0, seconds=[0.01]) for point in ids]
    yield pb.EvaluateResponse(physics_digest="a", likelihood_digest="b", results=results)


@pytest.mark.parametrize("kind", sorted(set(TYPES) - {"READ_CSV"}))
def test_every_scan_tells_that_its_evaluator_is_wrong(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scan.yaml").write_text(
        f"setup: {{run_name: r, type: {kind}, points: 5, max_evaluations: 12, seed: 1}}\n"
        "variables: {x: {range: [0, 1], steps: 8}}\n"
        "codes: {code: {function: 'm:f', observables: {y: {mean: 0, sigma: 1}}}}\n"
    )
    described = {"parameters": [pb.Parameter(name="x", high=1.0)], "backend": "c"}
    servicer = Honest(zero, {**described, "observables": [pb.Observable(name="y", code="code", likelihood=GAUSS)]})
    with listening(servicer) as address:
        command = ["scan", str(tmp_path / "scan.yaml"), "--run", str(tmp_path / "run"), "--no-report", "--quiet"]
        assert main([*command, "--evaluator", address]) == 0
    told = capsys.readouterr().err
    assert told.count("point 1 is 0, but the likelihoods give 0.499") == told.count("do not belong") == 1
