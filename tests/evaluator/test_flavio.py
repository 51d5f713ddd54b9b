"""flavio as a code: names, bins and coefficients are checked at the start; measurements and predictions are right."""

import json
import os
import subprocess
import sys

import pytest

from evaluator.chain import Status
from evaluator.codes.kinds.flavio import FlavioCode
from evaluator.description import describe
from evaluator.errors import ConfigurationError
from scanspec import Kind, ScanFileError, read_scan_file

pytestmark = [pytest.mark.physics(environment="flavio"), pytest.mark.slow]

SETTINGS = "scale: 4.8, coefficients: {C9_bsmumu: c9, C10_bsmumu: [c10, 0.5*c10]}"
BR = "BR: {flavio: BR(Bs->mumu), mean: 3.36e-9, sigma: 3e-10}"
P5P = "P5p: {flavio: [<P5p>(B0->K*mumu), 4, 6], mean: -0.439, sigma: 0.135}"


@pytest.fixture
def scan(scan_file):
    def write(settings=SETTINGS, observables=BR, variables="c9: [-2, 2], c10: [-2, 2]", before=""):
        return scan_file(
            f"variables: {{{variables}}}\ncodes:\n{before}  flavour:\n    flavio: {{{settings}}}\n    timeout: 60\n"
            f"    observables:\n      {observables}\n"
        )

    return write


@pytest.fixture
def load(chain):
    """Makes the chain of a file; warnings of flavio itself are ignored."""

    def load(path):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return chain(path)

    return load


def observable(text, more="mean: 0, sigma: 1"):
    return f"y: {{flavio: {text}, {more}}}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BR(Bs->mumi)", ["no observable 'BR(Bs->mumi)'", "did you mean 'BR(Bs->mumu)'?"]),
        ("<P5p>(B0->K*mumu)", ["given 0 numbers", "takes 2", "[<P5p>(B0->K*mumu), q2min, q2max]"]),
        ("[<P5p>(B0->K*mumu), 4]", ["given 1 numbers", "takes 2"]),
        ("[BR(Bs->mumu), 4, 6]", ["given 2 numbers", "takes 0", "BR(Bs->mumu) alone"]),
        ("[<P5p>(B0->K*mumu), 6, 4]", ["the bin 6 to 4", "q2min must be below q2max"]),
        ("[<P5p>(B0->K*mumu), 4, 4]", ["the bin 4 to 4", "empty or reversed"]),
        ("[<P5p>(B0->K*mumu), 15, 25]", ["q2 = 25 GeV^2", "outside the kinematic limits"]),
        ("[<P5p>(B0->K*mumu), 0.01, 6]", ["q2 = 0.01 GeV^2", "outside the kinematic limits"]),
        ("[<P5p>(B0->K*mumu), 20, 25]", ["q2 = 20 GeV^2"]),
        ("[P5p(B0->K*mumu), 25]", ["q2 = 25 GeV^2"]),
        ("[<Rmue>(B+->Kll), 6, 30]", ["q2 = 30 GeV^2"]),
        ("[<Rtaumu>(B0->K*ll), 4, 18]", ["q2 = 4 GeV^2"]),
        ("[<Rmue>(B->D*lnu), 1, 15]", ["q2 = 15 GeV^2"]),
    ],
)
def test_a_wrong_observable_is_found_before_any_point(scan, load, text, words):
    with pytest.raises(ScanFileError) as error:
        load(scan(observables=observable(text)))
    assert "scan.yaml, line 7:" in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            "scale: 4.8, coefficients: {C9_bsmumi: c9}",
            ["'C9_bsmumi' is not a Wilson coefficient of WET, basis flavio", "did you mean 'C9_bsmumu'?"],
        ),
        ("eft: SMEFTS, scale: 1000, coefficients: {C9_bsmumu: c9}", ["unknown eft 'SMEFTS'", "'SMEFT'"]),
        ("basis: warsaw, scale: 4.8, coefficients: {C9_bsmumu: c9}", ["WET has no basis 'warsaw'"]),
        ("eft: SMEFT, basis: Warsaw, scale: 1000, coefficients: {C9_bsmumu: c9}", ["is not a Wilson coefficient"]),
        ("eft: SMEFT, basis: Warsaw, scale: 1000, coefficients: {phiD: [c9, c10]}", ["phiD is a real", "one expr"]),
        ("coefficients: {C9_bsmumu: c9}", ["no 'scale'", "in GeV"]),
        ("scale: -1, coefficients: {C9_bsmumu: c9}", ["scale is -1", "more than 0"]),
        ("scale: 4.8", ["no 'coefficients'"]),
        ("scale: 4.8, coefficients: {}", ["names no Wilson coefficient"]),
        ("scale: 4.8, coefficients: {C9_bsmumu: [c9, 1, 2]}", ["must be one expression, or [real part"]),
        ("scale: 4.8, coefficients: {C9_bsmumu: c99}", ["'c99' is not a variable", "did you mean 'c9'?"]),
        ("scale: 4.8, coefficient: {C9_bsmumu: c9}", ["unknown key 'coefficient'", "did you mean 'coefficients'?"]),
        ("wcxf: a.json, scale: 4.8", ["the file a.json gives scale"]),
        ("wcxf: ../a.json", ["the bare name of a file"]),
    ],
)
def test_wrong_settings_are_found_before_any_point(scan, load, settings, words):
    with pytest.raises((ScanFileError, ConfigurationError)) as error:
        load(scan(settings))
    assert "scan.yaml, line 4:" in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "BR(Bs->mumu)",
        "[<dBR/dq2>(B+->Kmumu), 0.1, 0.98]",
        "[P5p(B0->K*mumu), 5]",
        "[<BR>(B->Xsmumu), 14.2, 25]",  # beyond the limit, but there are measurements in this bin
        "[<P5p>(B0->K*mumu), 0, 2]",  # the same; the measurements are of other observables of this decay
        "[<BR>/<cl>(B0->D*munu), -1, 0]",
    ],
)
def test_a_right_observable_is_taken(scan, load, text):
    outcome = load(scan(observables=observable(text))).evaluate([0.1, 0.1])
    assert outcome.status is Status.OK and outcome.observables[0] != 0


def test_real_and_imaginary_parts_of_coefficients_both_count(scan, load):
    made = load(scan(observables=BR))
    values = [made.evaluate([0.0, c10]).observables[0] for c10 in (0.0, 1.0, -1.0)]
    # the rate is |C10 + x|^2 with C10 about -4.2, so (4.2 -+ 1)^2 + 0.25, with a complex phase in the width
    assert values[1] < values[0] < values[2]
    real = load(scan("scale: 4.8, coefficients: {C10_bsmumu: c10}")).evaluate([0.0, 1.0]).observables[0]
    assert values[1] / real == pytest.approx(1 + (0.5 / 3.2) ** 2, rel=0.01)


def test_a_branching_ratio_above_one_is_unphysical(scan, load):
    """flavio itself gives 209 for C9 = 1e6 without a warning."""
    made = load(scan(observables=f"{BR}\n      {P5P}", variables="c9: [0, 1e7], c10: [0, 1e7]"))
    assert made.specs[0].valid == (0, 1) and made.specs[1].valid is None
    outcome = made.evaluate([0.0, 1e6])
    assert outcome.status is Status.INVALID and "is outside [0, 1]" in outcome.message
    assert outcome.observables[0] > 1 and not outcome.missing


def test_a_coefficient_that_is_not_finite_is_unphysical(scan, load):
    outcome = load(scan("scale: 4.8, coefficients: {C9_bsmumu: 1/c9}")).evaluate([0.0, 0.0])
    assert outcome.status is Status.INVALID and "C9_bsmumu = 1/c9 is not finite" in outcome.message


def test_measurements_become_constants_on_both_sides(scan, load):
    names = "measurement: LHCb B+->Kmumu BR 2014", "measurement: GSSS combination Bs->mumu 2022"
    path = scan(
        observables=f"""A: {{flavio: [<dBR/dq2>(B+->Kmumu), 1.1, 6], {names[0]}}}
      B: {{flavio: BR(Bs->mumu), {names[1]}}}
      C: {{flavio: [<dBR/dq2>(Bs->phimumu), 1.1, 6], measurement: true}}"""
    )
    assert all(observable.likelihood.kind is Kind.OFF for observable in read_scan_file(path).all_observables())
    made = load(path)
    constants = [(spec.likelihood.kind, spec.likelihood.mean, spec.likelihood.sigma) for spec in made.specs]
    assert constants == [
        (Kind.GAUSS, pytest.approx(2.42e-8), pytest.approx(1.389e-9, rel=1e-3)),
        (Kind.GAUSS, pytest.approx(3.361e-9, rel=1e-3), pytest.approx(2.809e-10, rel=1e-3)),
        (Kind.GAUSS, pytest.approx(2.88e-8), pytest.approx(2.112e-9, rel=1e-3)),
    ]
    # a process that has not imported flavio reads the same numbers
    program = (
        "import json, sys; from evaluator.chain import Chain; from evaluator.description import describe; "
        "from scanspec import read_scan_file; found = describe(Chain(read_scan_file(sys.argv[1])), 1); "
        "print(json.dumps([[spec.likelihood.mean, spec.likelihood.sigma] for spec in found.observables])); "
        "print(found.likelihood_digest, 'flavio' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    lines = done.stdout.splitlines()
    assert json.loads(lines[0]) == [
        [mean, sigma] for _, mean, sigma in [(0, s.likelihood.mean, s.likelihood.sigma) for s in made.specs]
    ]
    assert lines[1] == f"{describe(made, 1).likelihood_digest} False"


@pytest.mark.parametrize(
    ("text", "measurement", "words"),
    [
        ("BR(Bs->mumu)", "true", ["12 measurements of BR(Bs->mumu)", "GSSS combination Bs->mumu 2022"]),
        ("BR(Bs->mumu)", "GSSS combination Bs->mumu 2023", ["did you mean 'GSSS combination Bs->mumu 2022'?"]),
        ("BR(Bs->mumu)", "CMS Bs->mumu 2013", ["is not Gaussian: 2.99139e-09 +1.15246e-09 -8.11989e-10"]),
        ("BR(KL->pinunu)", "true", ["is not Gaussian", "UpperLimit"]),
        ("[<P5p>(B0->K*mumu), 4.5, 6]", "true", ["no measurement of <P5p>(B0->K*mumu) 4.5 6", "write mean and sigma"]),
    ],
)
def test_a_measurement_without_gaussian_constants_is_an_error(scan, load, text, measurement, words):
    made = load(scan(observables=f"{BR}\n      {observable(text, f'measurement: {measurement}')}"))
    with pytest.raises(ScanFileError) as error:
        _ = made.specs
    assert "scan.yaml, line 8:" in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_independent_measurements_are_combined(scan, load):
    names = "[LHCb B->K*mumu 2020 P 4-6, ATLAS B->K*mumu 2017 P5p]"
    made = load(scan(observables=observable("[<P5p>(B0->K*mumu), 4, 6]", f"measurement: {names}")))
    weights = 0.1167**-2, 0.3891**-2
    likelihood = made.specs[0].likelihood
    assert likelihood.mean == pytest.approx((-0.439 * weights[0] + 0.26 * weights[1]) / sum(weights), rel=1e-3)
    assert likelihood.sigma == pytest.approx(sum(weights) ** -0.5, rel=1e-3)


WRITER = "  writer:\n    function: writer:f\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("None", "no code before this one has written wc.json"),
        ("'{'", "wc.json is not a WCxf file that can be used"),
        ("json.dumps(dict(eft='WET', basis='flavio', scale=4.8, values=dict(C9_bsmumi=1)))", "not a WCxf file"),
        ("json.dumps(dict(eft='WET', basis='flavio', scale=4.8, values=dict(C9_bsmumu=float('nan'))))", "not finite"),
        (
            "json.dumps(dict(eft='SMEFT', basis='Warsaw', scale=1e3, values=dict(phiD=dict(Re=1e-9, Im=1e-9))))",
            "gives phiD, which is real, an imaginary part",
        ),
    ],
)
def test_a_bad_wcxf_file_fails_the_point(scan, load, tmp_path, content, words):
    (tmp_path / "writer.py").write_text(
        f"import json\ndef f(point):\n    text = {content}\n"
        "    if text is not None:\n        (point.folder / 'wc.json').write_text(text)\n    return {}\n"
    )
    sys.modules.pop("writer", None)
    outcome = load(scan("wcxf: wc.json", before=WRITER)).evaluate([0.0, 0.0], tmp_path / "scratch")
    assert outcome.status is Status.FAILED and words in outcome.message and outcome.failed_code == "flavour"


def test_settings_of_the_prediction_are_in_the_digest(scan):
    def digest(*arguments):
        from evaluator.chain import Chain

        return describe(Chain(read_scan_file(scan(*arguments))), 1).physics_digest

    first = digest()
    assert digest(SETTINGS.replace("4.8", "4.9")) != first
    assert digest(SETTINGS.replace("0.5*c10", "0.6*c10")) != first
    assert digest(SETTINGS, BR.replace("Bs->mumu", "B0->mumu")) != first
    assert digest(SETTINGS, BR.replace("3.36e-9", "3.37e-9")) == first


def test_versions_are_in_the_digest(scan):
    from evaluator.chain import Chain

    code = Chain(read_scan_file(scan())).steps[0].code
    assert isinstance(code, FlavioCode)
    assert {"package flavio", "package wilson", "package numpy"} <= set(code.sources())
