"""Variables of a scan file: ranges, priors, kinds, and grids as BSMArt writes them."""

import json
import math

import pytest

from scanspec import PriorKind, Variable


def variable(settings):
    return f"""\
variables:
  m0: {settings}
codes:
  toy:
    function: toy:f
    observables:
      x: {{mean: 1, sigma: 2}}
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("[3, 1]", (1, 3, PriorKind.UNIFORM)),
        ("{RANGE: ['1e1', 30]}", (10, 30, PriorKind.UNIFORM)),
        ("{range: [1, 3], prior: log-uniform}", (1, 3, PriorKind.LOG_UNIFORM)),
        ("{RANGE: [1, 3], PRIOR: LOG}", (1, 3, PriorKind.LOG_UNIFORM)),
        ("{RANGE: [1, 3], PRIOR: UNIFORM}", (1, 3, PriorKind.UNIFORM)),
        ("{RANGE: [1, 3], PRIOR: LINEAR, VARIANCE: 0.1, Label: m}", (1, 3, PriorKind.UNIFORM)),
        ("{RANGE: [1, 3], PRIOR: INTERVAL}", (1, 3, PriorKind.UNIFORM)),
        ("{RANGE: [1, 3], PRIOR: NONE}", (1, 3, PriorKind.UNIFORM)),
        ("{prior: {type: normal, mean: 0, sigma: 1}}", (-math.inf, math.inf, PriorKind.NORMAL)),
        ("{RANGE: [-2, 3], PRIOR: {TYPE: GAUSS, MEAN: 0, SIGMA: 1}}", (-2, 3, PriorKind.NORMAL)),
        ("{range: [-2, 3], prior: {type: normal, mean: 0, sigma: 1, low: -1}}", (-1, 3, PriorKind.NORMAL)),
        ("{range: [1, 8], prior: {type: log-uniform, high: 4}}", (1, 4, PriorKind.LOG_UNIFORM)),
    ],
)
def test_variables_are_read_in_both_spellings(read, settings, expected):
    (found,) = read(variable(settings)).variables
    assert (found.low, found.high, found.prior) == expected
    if found.prior is PriorKind.NORMAL:
        assert (found.mean, found.sigma) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "low", "high", "prior", "inner"),
    [
        ("{RANGE: [1e3, 1], PRIOR: SYMLOG}", -1000, 1000, PriorKind.SYMMETRIC_LOG, 1),
        ("{range: [1, 1000], prior: {type: symmetric-log, low: 10}}", -1000, 1000, PriorKind.SYMMETRIC_LOG, 10),
        ("{RANGE: [0, 5], PRIOR: symlinear}", -5, 5, PriorKind.SYMMETRIC, 0),
        ("{range: [2, 5], prior: symmetric-uniform, steps: 4}", -5, 5, PriorKind.SYMMETRIC, 2),
        ("{RANGE: [0, 180], PRIOR: SIN}", 0, math.pi, PriorKind.SINE, 0),
        ("{RANGE: [30, 150], PRIOR: {TYPE: SIN, HIGH: 90}}", math.pi / 6, math.pi / 2, PriorKind.SINE, 0),
        ("{range: [0, 3.1416], prior: sine}", 0, math.pi, PriorKind.SINE, 0),
        ("{range: [1, 2], prior: sine}", 1, 2, PriorKind.SINE, 0),
    ],
)
def test_symmetric_and_isotropic_variables_are_read(read, settings, low, high, prior, inner):
    (found,) = read(variable(settings)).variables
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-15)
    assert (found.prior, found.inner) == (prior, inner)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{}", ["finite range"]),
        ("{range: [0, inf]}", ["finite range"]),
        ("{range: [5, 8], prior: {type: uniform, high: 3}}", ["range is empty", "5 to 3"]),
        ("{range: [-1, 3], prior: log}", ["above 0", "-1"]),
        ("{range: [0, 3], prior: log-uniform}", ["above 0"]),
        ("{range: [1, 3], prior: normal}", ["{type: normal, mean"]),
        ("{range: [1, 3], prior: {type: normal, mean: 0}}", ["no 'sigma'"]),
        ("{range: [1, 3], prior: {type: normal, mean: 0, sigma: 0}}", ["sigma", "above 0"]),
        ("{range: [5, 6], prior: {type: normal, mean: 0, sigma: 1e-7}}", ["5 to 6", "1e+06 standard deviations"]),
        ("{range: [-6, -5], prior: {type: normal, mean: 0, sigma: 1e-7}}", ["-6 to -5", "1e+06 standard deviations"]),
        ("{range: [1, 3], prior: {type: normal, mean: inf, sigma: 1}}", ["mean", "finite"]),
        ("{range: [1, 3], prior: uniorm}", ["'uniorm' is not a prior", "'uniform'"]),
        ("{range: [1, 3], prior: {type: CAUCHY}}", ["'CAUCHY' is not a prior", "mean + sigma*tan(pi*(u - 0.5))"]),
        ("{range: [1, 3], prior: {TYPE: EXP, SIGMA: 2}}", ["'EXP' is not a prior", "log(u)/sigma"]),
        ("{range: [1, 3], prior: lognormal}", ["'lognormal' is not a prior", "exp(ln_x)"]),
        ("{range: [0, 3], prior: SYMLOG}", ["range of magnitudes, above 0", "[0, 3]"]),
        ("{range: [-1, 3], prior: symmetric-log}", ["range of magnitudes, above 0", "[-1, 3]"]),
        ("{range: [-1, 3], prior: SYMLINEAR}", ["range of magnitudes, at least 0"]),
        ("{range: [3, 3], prior: SYMLINEAR}", ["values: [-x, x]"]),
        ("{prior: symmetric-log}", ["range of magnitudes"]),
        ("{range: [0, 3.14159], prior: SIN}", ["degrees", "prior: sine"]),
        ("{range: [0, 270], prior: SIN}", ["0 to 180 degrees"]),
        ("{range: [-90, 90], prior: SIN}", ["0 to 180 degrees"]),
        ("{range: [0, 180], prior: sine}", ["0 to pi (radians)"]),
        ("{prior: sine}", ["0 to pi"]),
        ("{range: [1, 3], prior: symlog, periodic: true}", ["uniform prior"]),
        ("{range: [1, 3], prior: sine, type: integer}", ["integer variable has no prior"]),
        ("[inf, inf]", ["range"]),
        ("np.linspace(0)", ["mapping"]),
        ("[2, 2]", ["nothing to scan"]),
        ("3", ["nothing to scan"]),
        ("{range: [0, 2.5], type: integer}", ["range", "whole numbers", "integer"]),
        ("{range: [0, 1e10], type: integer}", ["10^9 apart"]),
        ("{type: integer}", ["whole numbers"]),
        ("{range: [1, 3], type: integer, prior: log}", ["integer variable has no prior"]),
        ("{range: [1, 3], type: float}", ["type", "real or integer", "values: [a, b, c]"]),
        ("{values: [1, 2, 1.0]}", ["1 is there twice"]),
        ("{values: [1, a]}", ["values", "list of numbers"]),
        ("{values: []}", ["values", "list of numbers"]),
        ("{values: [1, inf]}", ["finite"]),
        ("{values: [1, 2], range: [1, 2]}", ["values and range exclude each other"]),
        ("{values: [1, 2], prior: uniform}", ["values and prior exclude each other"]),
        ("{values: [1, 2], periodic: true}", ["periodic variable is real"]),
        ("{values: [3]}", ["nothing to scan"]),
        ("{range: [1, 3], periodic: true, prior: log}", ["periodic", "uniform prior"]),
        ("{range: [1, 3], periodic: often}", ["periodic", "true or false"]),
        ("{range: [1, 3], steps: 0}", ["steps", "at least 1"]),
        ("{range: [1, 3], type: integer, steps: 4}", ["there are 3 values"]),
        ("np.linspace(0, 1, 2.5)", ["at least one step"]),
        ("np.linspace(0, 1, 3, num=4)", ["np.linspace(low, high, steps)"]),
        ("np.linspace(0, 1, num=3, endpoint=False)", ["np.linspace(low, high, steps)"]),
        ("np.arange(0, 4, num=3)", ["np.linspace(low, high, steps)"]),
        ("np.arange(0, 1, -0.1)", ["at least one step"]),
        ("np.logspace(0, 400, 3)", ["line 2"]),
        ("np.linspace(0, open('x'), 3)", ["np.linspace(low, high, steps)"]),
        ("os.system(1, 2, 3)", ["np.linspace(low, high, steps)"]),
        ("np.geomspace(-1, 2, 3)", ["above 0"]),
        ("np.array([1, 2, 1.0])", ["1 is there twice"]),
        ("np.array([])", ["at least one"]),
        ("np.array([1, open('x')])", ["at least one"]),
        ("np.array([[1, 2], [3, 4]])", ["at least one"]),
        ("np.array([1, 1e999])", ["finite"]),
        ("'np.array([1, 2], dtype=int)'", ["np.array([a, b, c])"]),
        ("np.array(1, 2)", ["np.array([a, b, c])"]),
        ("range(3.5)", ["range(start, stop, step)", "whole numbers"]),
        ("range(5, 5)", ["at least one"]),
        ("'range(1, 5, 0)'", ["with a step"]),
        ("range(0, 100000, 2)", ["at most 10,000"]),
        ("range(0, 3000000000)", ["10^9 apart"]),
        ("range(1e30)", ["whole numbers"]),
        ("range()", ["range(start, stop, step)"]),
        ("list(5)", ["np.array([a, b, c])"]),
    ],
)
def test_wrong_variables_are_refused(fault, settings, words):
    message = fault(variable(settings))
    assert message.startswith(("line 2: ", "line 1: ") if "nothing" in words[0] else "line 2: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("settings", "expected", "cardinality", "steps"),
    [
        ("{range: [0, 6.25], periodic: true}", Variable("m0", 0, 6.25, periodic=True), 0, 0),
        ("{RANGE: [0, 6.25], Periodic: 'True', steps: 8}", Variable("m0", 0, 6.25, periodic=True, steps=8), 0, 8),
        ("{range: [-2, 3], type: integer}", Variable("m0", -2, 3, integer=True), 6, 6),
        ("{range: [-2, 3], type: INTEGER, steps: 2}", Variable("m0", -2, 3, integer=True, steps=2), 6, 2),
        ("{range: [-2, 3], type: real}", Variable("m0", -2, 3), 0, 0),
        ("{values: [4, 1, 2.5]}", Variable("m0", 1, 4, values=(4, 1, 2.5)), 3, 3),
        ("{values: [4]}", Variable("m0", 4, 4, values=(4,)), 1, 1),
        ("173.1", Variable("m0", 173.1, 173.1), 0, 1),
        ("'np.linspace(0, 1, 11)'", Variable("m0", 0, 1, steps=11), 0, 11),
        ("numpy.linspace(3, -1.5, 2)", Variable("m0", -1.5, 3, steps=2), 0, 2),
        ("np.linspace(0, 1, num=11)", Variable("m0", 0, 1, steps=11), 0, 11),
        ("np.linspace(0, 1)", Variable("m0", 0, 1, steps=50), 0, 50),
        ("np.arange(0, 4)", Variable("m0", 0, 3, steps=4), 0, 4),
        ("np.geomspace(1, 1e3, 4)", Variable("m0", 1, 1000, PriorKind.LOG_UNIFORM, steps=4), 0, 4),
        ("np.logspace(0, 3, 4)", Variable("m0", 1, 1000, PriorKind.LOG_UNIFORM, steps=4), 0, 4),
        ("np.arange(2, 10, 2)", Variable("m0", 2, 8, steps=4), 0, 4),
        ("np.linspace(5, 7, 1)", Variable("m0", 5, 5, steps=1), 0, 1),
        ("'np.array([4, 1, 2.5])'", Variable("m0", 1, 4, values=(4, 1, 2.5)), 3, 3),
        ("numpy.array((1e2, -1))", Variable("m0", -1, 100, values=(100, -1)), 2, 2),
        ("'[1, 2, 5]'", Variable("m0", 1, 5, values=(1, 2, 5)), 3, 3),
        ("'np.array([7])'", Variable("m0", 7, 7), 0, 1),
        ("range(4)", Variable("m0", 0, 3, integer=True), 4, 4),
        ("'range(5, 1, -1)'", Variable("m0", 2, 5, integer=True), 4, 4),
        ("range(2, 10, 3)", Variable("m0", 2, 8, values=(2, 5, 8)), 3, 3),
        ("list(range(-1, 2))", Variable("m0", -1, 1, integer=True), 3, 3),
        ("np.array(range(0, 4, 2))", Variable("m0", 0, 2, values=(0, 2)), 2, 2),
        ("range(3, 4)", Variable("m0", 3, 3), 0, 1),
    ],
)
def test_integers_choices_and_phases_are_read(read, settings, expected, cardinality, steps):
    text = variable(settings).replace("variables:\n", "variables:\n  other: [0, 1]\n")
    _, found = read(text).variables
    assert found == expected
    assert (found.cardinality, found.grid_steps) == (cardinality, steps)
    _, again = read(text.replace(str(settings), json.dumps(found.entry))).variables
    assert again == found


@pytest.mark.parametrize("prior", ["{type: uniform, mean: 2, sigma: 1}", "{TYPE: LOG, SIGMA: 1}"])
def test_only_a_normal_prior_may_have_its_constants(fault, prior):
    assert "belongs to the type normal" in fault(variable(f"{{range: [1, 3], prior: {prior}}}"))


def test_a_range_in_quotes_is_read_as_a_choice_with_a_note(read):
    scan = read(variable("(1, 3)"))
    assert scan.variables[0].values == (1.0, 3.0)
    assert scan.notes == ("variables: m0: '(1, 3)' is a choice between two values; a range has no quotes",)
