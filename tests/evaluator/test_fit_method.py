"""The section `fitting` in both spellings, and its faults."""

import pytest

from evaluator.fit_method import FitMethod, read_fit_method
from scanspec import ScanFileError, read_scan_file

BASE = "variables: {x: [1, 2]}\ncodes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}, z: }}}\n"
BSMART = """Fitting:
  Variables: {LAM: {RANGE: [0.01, 1]}}
  Observables: {z: {TARGET: 125.0, VARIANCE: 0.5}}
  Method: l-bfgs-b
  Options: {eps: '1e-3', ftol: 1e-6, disp: 'False', max_safe: 10, Overloads: 3}
"""


def read(tmp_path, text):
    (tmp_path / "scan.yaml").write_text(BASE + text)
    return read_scan_file(tmp_path / "scan.yaml", also=read_fit_method)


def test_bsmarts_spelling_is_read(tmp_path):
    scan = read(tmp_path, BSMART)
    fitting = scan.fitting
    assert [(variable.name, variable.low, variable.high) for variable in fitting.variables] == [("LAM", 0.01, 1.0)]
    assert [(target.name, target.value, target.sigma) for target in fitting.targets] == [("z", 125.0, 0.5)]
    assert read_fit_method(scan) == FitMethod("L-BFGS-B", 1e-3, 200)
    assert [observable.name for observable in scan.all_observables()] == ["LAM", "y", "z"]
    assert list(scan.ignored) == [f"Fitting: Options: {key}" for key in ("ftol", "disp", "max_safe", "Overloads")]


def test_a_file_without_the_section_fits_nothing(tmp_path):
    for text in ("", "fitting: {}\n"):
        scan = read(tmp_path, text)
        assert scan.fitting is None and read_fit_method(scan) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("{TARGET: 125.0", "{TARGET: many", 5, "TARGET is 'many', but must be a number"),
        ("VARIANCE: 0.5", "VARIANCE: 0", 5, "must be more than 0"),
        ("z: {TARGET", "zz: {TARGET", 5, "'zz' is not an observable; did you mean 'z'?"),
        ("z: {TARGET", "LAM: {TARGET", 5, "'LAM' is not an observable"),
        ("LAM", "x", 4, "'x' is already the name of a variable"),
        ("RANGE: [0.01, 1]", "RANGE: [1, 1]", 4, "solved for within a range"),
        ("[0.01, 1]}", "[0.01, 1], PRIOR: LOG}", 4, "solved for within a range"),
        ("[0.01, 1]}", "[0, 1], TYPE: integer}", 4, "solved for within a range"),
        ("[0.01, 1]}", "[0, 1], PERIODIC: True}", 4, "solved for within a range"),
        ("l-bfgs-b", "LBFGSB", 6, "no method 'LBFGSB' to fit with; did you mean 'L-BFGS-B'?"),
        ("l-bfgs-b", "brentq}\nfitting2: {", 7, "unknown key 'fitting2'"),
        ("  Variables: {LAM: {RANGE: [0.01, 1]}}\n", "", 3, "the variables to solve for"),
        ("  Observables: {z: {TARGET: 125.0, VARIANCE: 0.5}}\n", "", 3, "the observables to meet"),
        ("eps: '1e-3'", "epss: 1", 7, "unknown key 'epss'"),
        ("z: {TARGET", "y: {TARGET: 1}, z: {TARGET", 6, ""),
    ],
)
def test_faults_are_told_with_their_lines(tmp_path, old, new, line, words):
    text = BSMART.replace(old, new)
    if not words:  # this case is a root finder with two targets
        text, words = text.replace("l-bfgs-b", "brentq"), "brentq solves for one variable with one target"
    if "}\n" in new:
        text = BSMART + "fitting2: {}\n"
        line = 8
    with pytest.raises(ScanFileError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value) and f"line {line}:" in str(caught.value)
