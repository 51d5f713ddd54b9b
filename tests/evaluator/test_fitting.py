"""The section `fitting`, really solved with scipy, which is in camb's environment and not in the base."""

import math

import pytest

from evaluator.chain import Status
from evaluator.errors import ConfigurationError
from evaluator.fit_method import BRACKETING, METHODS, STEPPING

CODES = """import math
import os


def higgs(point):
    with open(os.environ.get("RUNS", os.devnull), "a") as file:
        file.write("x")
    if point["lam"] > 0.9:
        from evaluator import InvalidPoint
        raise InvalidPoint("not perturbative")
    return {"mh": math.sqrt(2 * point["lam"]) * point["v"], "wall": point["lam"] - point["mix"]}


def messy(point):
    (point.folder / "left").write_text("something")
    return higgs(point)


def after(point):
    return {"late": point["mh"] * 2}
"""
SCAN = """variables: {v: [200, 300], mix: [0, 1]}
derived_variables: {lam2: lam**2}
codes:
  first:
    function: fit_codes:higgs
    observables: {mh: {valid: [124, 126]}, wall: }
  second:
    function: fit_codes:after
    observables: {late: {mean: 250, sigma: 1}}
Fitting:
  Variables: {lam: {RANGE: [0.01, 1]}}
  Observables: {mh: {TARGET: 125, VARIANCE: 0.5}}
"""
WITH_SCIPY = pytest.mark.physics(environment="camb")


@pytest.fixture
def solve(scan_file, chain, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))

    def make(text=SCAN):
        return chain(scan_file(text, fit_codes__py=CODES))

    yield make
    monkeypatch.delitem(__import__("sys").modules, "fit_codes", raising=False)


def test_without_scipy_the_message_says_how_to_get_it(solve):
    try:
        import scipy  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigurationError, match=r"needs scipy, .*pip install '\.\[fitting\]'"):
            solve()
    else:
        pytest.fail("scipy is in the evaluator's base")


@WITH_SCIPY
def test_a_quartic_coupling_is_solved_for_the_higgs_mass(solve, tmp_path):
    found = solve().evaluate([246.0, 0.3], tmp_path / "point")
    lam = 125**2 / 2 / 246**2
    assert found.status is Status.OK and not found.missing
    assert found.observables[0] == pytest.approx(lam, rel=1e-4)  # 1 % of a sigma of 0.5 in 125
    assert found.observables[1] == pytest.approx(lam**2, rel=1e-3)
    assert found.observables[2] == pytest.approx(125, abs=0.005) and found.observables[4] == 2 * found.observables[2]
    assert len((tmp_path / "runs").read_text()) < 16  # the runs of the solver, and the point itself
    assert len(found.seconds) == 2 and not (tmp_path / "point" / "fitting").exists()


@WITH_SCIPY
@pytest.mark.parametrize("method", METHODS[1:])
def test_every_method_finds_the_solution(solve, tmp_path, method):
    # lambda is at most 0.8: beyond, where a solver may step, the code gives no answer
    text = SCAN.replace("[0.01, 1]", "[0.01, 0.8]") + f"  Method: {method}\n"
    found = solve(text).evaluate([246.0, 0.3], tmp_path / "point")
    assert (found.status, found.message) == (Status.OK, "")
    assert found.observables[2] == pytest.approx(125, abs=0.5)


@WITH_SCIPY
@pytest.mark.parametrize("method", [name for name in METHODS if name not in (*BRACKETING, *STEPPING)])
def test_two_variables_are_solved_for_two_targets(solve, tmp_path, method):
    text = SCAN.replace("v: [200, 300], mix: [0, 1]", "v: [200, 300]").replace(
        "{lam: {RANGE: [0.01, 1]}}", "{lam: {RANGE: [0.01, 0.8]}, mix: {RANGE: [-1, 1]}}"
    )
    text = text.replace("VARIANCE: 0.5}", "VARIANCE: 0.5}, wall: {TARGET: 0.2, VARIANCE: 0.01}")
    found = solve(text + f"  Method: '{method}'\n").evaluate([246.0], tmp_path / "point")
    lam = 125**2 / 2 / 246**2
    assert (found.status, found.message) == (Status.OK, "")
    assert found.observables[:2] == pytest.approx([lam, lam - 0.2], abs=1e-3)


@WITH_SCIPY
def test_without_a_solution_the_point_is_invalid(solve, tmp_path):
    found = solve(SCAN.replace("TARGET: 125,", "TARGET: 1250,")).evaluate([246.0, 0.3], tmp_path / "point")
    assert found.status is Status.INVALID
    assert "fitting: no lam in [0.01, 1] gives mh = 1250 +- 0.5; nearest after" in found.message
    assert math.isnan(found.observables[0]) and len(found.missing) == 5
    all_bad = SCAN.replace("RANGE: [0.01, 1]", "RANGE: [0.95, 1]")
    found = solve(all_bad).evaluate([246.0, 0.3], tmp_path / "p")
    assert "every run for lam in [0.95, 1] was unphysical" in found.message


@WITH_SCIPY
def test_the_outcome_tells_that_only_the_solver_used_its_scratch_folder(solve, tmp_path):
    made = solve(SCAN.replace("fit_codes:higgs", "fit_codes:messy").replace("TARGET: 125,", "TARGET: 1250,"))
    assert made.evaluate([246.0, 0.3], tmp_path / "point").status is Status.INVALID
    assert made.used_scratch  # then whoever runs points removes the folder
    assert (tmp_path / "point").is_dir() and not (tmp_path / "point" / "fitting").exists()


@WITH_SCIPY
def test_a_target_may_follow_the_last_code_and_runs_are_bounded(solve, tmp_path):
    text = SCAN.replace("{mh: {TARGET: 125, VARIANCE: 0.5}}", "{half: {TARGET: 125, VARIANCE: 0.5}}")
    text += "observables: {half: {function: late / 2}}\n"
    found = solve(text).evaluate([246.0, 0.3], tmp_path / "point")
    assert found.status is Status.OK and found.observables[-1] == pytest.approx(125, abs=0.01)
    bounded = solve(text.replace("Fitting:", "Fitting:\n  Options: {max_evaluations: 3}"))
    few = bounded.evaluate([246.0, 0.3], tmp_path / "q")
    assert few.status is Status.INVALID and "after 3 runs" in few.message
