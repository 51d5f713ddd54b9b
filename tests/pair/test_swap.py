"""One proposer and two evaluators of the same model, which differ only in their physics code. The same seed draws the
same points in both scans, so that results can be compared point by point. docs/swap.md explains the differences.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scanspec import ScanFile, read_scan_file
from tests.pair.conftest import EvaluatorProcess, Points, read_run
from tests.pair.processes import ROOT, ProposerProcess
from tests.pair.test_slow import example

StartEvaluator = Callable[..., EvaluatorProcess]
StartProposer = Callable[..., ProposerProcess]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def proposer_bytes() -> str:
    """A hash of the proposer: its code, the contract, its lock, and its packages."""
    found = hashlib.sha256()
    for path in (Path("proposer"), Path("scanspec"), Path("proto")):
        for file in sorted((ROOT / path).rglob("*.py")):
            found.update(f"{file.relative_to(ROOT)}".encode() + file.read_bytes())
    found.update((ROOT / "locks/proposer.txt").read_bytes())
    packages = sorted(
        f"{distribution.name} {distribution.version}" for distribution in importlib.metadata.distributions()
    )
    found.update("\n".join(packages).encode())
    return found.hexdigest()


def same_question(first: ScanFile, second: ScanFile) -> None:
    """Checks that two scan files have the same variables, observables, constants, windows and settings."""
    for scan in (first, second):
        assert scan.notes == scan.ignored == ()
    assert first.environment != second.environment
    assert [code.name for code in first.codes] != [code.name for code in second.codes]
    variables = [[(v.name, v.low, v.high, v.prior) for v in scan.variables] for scan in (first, second)]
    assert variables[0] == variables[1]
    observables = [[(o.name, o.valid, repr(o.likelihood)) for o in s.all_observables()] for s in (first, second)]
    assert observables[0] == observables[1]
    assert first.derived == second.derived
    assert dict(first.document["networks"]) == dict(second.document["networks"])


def both(
    names: tuple[str, str], budget: int, tmp_path: Path, start_evaluator: StartEvaluator, start_proposer: StartProposer
) -> tuple[list[str], Points, Points]:
    """Runs two scans, one after the other; gives the names of the observables, and both runs."""
    before, specs, runs = proposer_bytes(), [], []
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        file = example(f"examples/{name}.yaml", folder, budget)
        spec = read_scan_file(file)
        evaluator = start_evaluator(file, environment=spec.environment)
        run = tmp_path / f"run-{name}"
        proposer = start_proposer("scan", file, "--evaluator", evaluator.address, "--run", run)
        code = proposer.wait(400)
        evaluator.stop()
        specs.append(spec)
        runs.append(read_run(run, len(spec.all_observables())))
        good = any(nll < spec.networks.number("threshold_value") for nll in runs[-1].nll)
        assert code == (0 if good else 5), proposer.said
    same_question(*specs)
    assert proposer_bytes() == before
    first, second = runs
    assert first.params == second.params and len(first.ids) == budget
    return [observable.name for observable in specs[0].all_observables()], first, second


def test_eos_agrees_with_flavio(start_evaluator: StartEvaluator, start_proposer: StartProposer, tmp_path: Path) -> None:
    names, flavio, eos = both(("flavio_bsmumu", "eos_bsmumu"), 40, tmp_path, start_evaluator, start_proposer)
    assert set(flavio.status) == set(eos.status) == {"OK"}
    assert not (flavio.observables == eos.observables)[:, 1:].any()  # the codes are really different
    ratios = dict(zip(names, (eos.observables / flavio.observables).T, strict=True))
    # form factors and CKM elements scale the rates by the same factor at every point; ratios do not depend on them
    bounds = {
        "BR_Bs_mumu": (0.98, 0.99),
        "dBR_BKmumu": (0.95, 0.97),
        "dBR_Bsphimumu": (0.84, 0.96),
        "RK": (0.99, 1.01),
        "RKst": (0.96, 1.04),
    }
    for name, (low, high) in bounds.items():
        assert (low < ratios[name]).all() and (ratios[name] < high).all(), (name, ratios[name])
    p5p = names.index("P5p_4_6")
    assert np.abs(eos.observables[:, p5p] - flavio.observables[:, p5p]).max() < 0.06  # sigma: 0.135
    assert np.corrcoef(np.log(flavio.nll), np.log(eos.nll))[0, 1] > 0.98


def test_classy_agrees_with_camb(
    start_evaluator: StartEvaluator, start_proposer: StartProposer, tmp_path: Path
) -> None:
    names, camb, classy = both(("camb_w0wa", "classy_w0wa"), 120, tmp_path, start_evaluator, start_proposer)
    w = np.array(camb.params)[:, 3:].sum(axis=1)
    assert [status == "INVALID" for status in camb.status] == (w > 0).tolist()
    # CLASS allows w0 + wa up to 1/3, but above about 0.1 it does not start early enough in the radiation era
    refused = np.array([status == "INVALID" for status in classy.status])
    assert set(classy.status) == {"OK", "INVALID"} and not refused[w < 0.1].any() and refused[w > 1 / 3].all()
    assert ((w > 0) & ~refused).any()
    there = w <= 0
    scored = [position for position, name in enumerate(names) if name != "age"]
    difference = classy.observables[there] / camb.observables[there] - 1
    assert 0 < np.abs(difference[:, scored]).max() < 5e-4
    nll = [np.array(result.nll)[there] for result in (camb, classy)]
    np.testing.assert_allclose(nll[0], nll[1], rtol=0.05)
