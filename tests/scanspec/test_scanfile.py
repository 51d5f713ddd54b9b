"""What a scan file may contain, in both spellings, and how faults are refused."""

import math

import pytest

from scanspec import Kind, Likelihood
from scanspec.observables import FlavioAddress
from tests.scanspec.small_scan import BASE, observable

# ---- likelihoods


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("{mean: 1, sigma: 2}", Likelihood(Kind.GAUSS, 1.0, 2.0)),
        ("{MEAN: 1, VARIANCE: 2}", Likelihood(Kind.GAUSS, 1.0, 2.0)),
        ("{MEAN: '1', VARIANCE: '2e0', SCALING: UPPER}", Likelihood(Kind.UPPER, 1.0, 2.0)),
        ("{scaling: LOWER, mean: 1, sigma: 2}", Likelihood(Kind.LOWER, 1.0, 2.0)),
        ("{scaling: LOG, mean: -1, sigma: 2}", Likelihood(Kind.LOG, -1.0, 2.0)),
        ("{scaling: BIAS, mean: -1, sigma: 2}", Likelihood(Kind.BIAS, -1.0, 2.0)),
        ("{scaling: USER}", Likelihood(Kind.USER)),
        ("{scaling: SIGUSER}", Likelihood(Kind.SIGUSER)),
        ("{scaling: EXPUSER}", Likelihood(Kind.EXPUSER)),
        ("{scaling: MINUSEXPUSER}", Likelihood(Kind.MINUSEXPUSER)),
        ("{SCALING: GAUSS, RANGE: [4, 10]}", Likelihood(Kind.GAUSS, 7.0, 3.0)),
        ("{SCALING: UPPER, RANGE: [10, 4]}", Likelihood(Kind.UPPER, 7.0, 3.0)),
        ("{SCALING: GAUSS, RANGE: [4, 10], MEAN: 1, VARIANCE: 2}", Likelihood(Kind.GAUSS, 1.0, 2.0)),
        ("{SCALING: CFUNCTION, MEAN: 1, VARIANCE: 2}", Likelihood(Kind.CFUNCTION, 1.0, 2.0, -1.0, 3.0)),
        ("{SCALING: CFUNCTION, RANGE: [4, 10]}", Likelihood(Kind.CFUNCTION, 7.0, 3.0, 4.0, 10.0)),
        # explicit bounds have priority over mean +- deviation
        ("{SCALING: CFUNCTION, MEAN: 1, VARIANCE: 2, LOWER_BOUND: 0}", Likelihood(Kind.CFUNCTION, 1.0, 2.0, 0.0, 3.0)),
        ("{SCALING: CFUNCTION, UPPER_BOUND: 0.1, LOWER_BOUND: '-infinity'}", Likelihood(Kind.CFUNCTION, upper=0.1)),
        (
            "{SCALING: CFUNCTION, UPPER_BOUND: 'inf', LOWER_BOUND: 3, LOG_SCALING: 'True'}",
            Likelihood(Kind.CFUNCTION, lower=3.0, log_scaling=True),
        ),
    ],
)
def test_likelihoods_are_read_in_both_spellings(read, settings, expected):
    assert repr(read(observable(settings)).all_observables()[0].likelihood) == repr(
        expected
    )  # repr, because NaN does not equal NaN


@pytest.mark.parametrize("settings", ["{SCALING: OFF, MEAN: 1, VARIANCE: 2}", "{}", "", "{unit: GeV}"])
def test_an_observable_may_be_left_out_of_the_likelihood(read, settings):
    scan = read(BASE + f"      y: {settings}\n")
    assert [observable.likelihood.kind for observable in scan.all_observables()] == [Kind.GAUSS, Kind.OFF]
    assert not scan.notes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{mean: 3}", ["has a mean without a sigma", "scaling: OFF"]),
        ("{VARIANCE: 3, unit: GeV}", ["has a VARIANCE without a MEAN", "give the MEAN", "scaling: OFF"]),
        ("{MEAN: 3}", ["has a MEAN without a VARIANCE", "give the VARIANCE", "scaling: OFF"]),
        ("{mean: 3, valid: [0, 9]}", ["has a mean without a sigma"]),
        ("{sigma: 3, range: [1, 2]}", ["has a sigma without a mean"]),
    ],
)
def test_a_mean_without_a_sigma_is_an_error(read, fault, settings, words):
    message = fault(BASE + f"      y: {settings}\n")
    assert all(word in message for word in ["line 8: codes: toy: observables: y", *words])
    off = settings.replace("{", "{scaling: OFF, ")
    assert read(BASE + f"      y: {off}\n").all_observables()[1].likelihood.kind is Kind.OFF


@pytest.mark.parametrize("settings", ["{range: [1, 2]}", "{upper_bound: 3}"])
def test_constants_that_have_no_effect_are_noted(read, settings):
    (note,) = read(BASE + f"      y: {settings}\n").notes
    assert "observables: y" in note and "not part of the likelihood" in note


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{mean: 1, sigma: 1, LOWER_BOUND: 0}", "LOWER_BOUND has no meaning for the scaling GAUSS"),
        ("{mean: 1, sigma: 1, range: [0, 2]}", "range has no meaning for the scaling GAUSS"),
        ("{scaling: USER, mean: 1, sigma: 1}", "mean and sigma have no meaning for the scaling USER"),
    ],
)
def test_constants_that_a_scaling_does_not_read_are_noted(read, settings, words):
    assert read(BASE + f"      y: {settings}\n").notes == (f"codes: toy: observables: y: {words}",)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{scaling: UPPER, range: [0, 3], sigma: 1}", ["has a range and one of mean and sigma"]),
        ("{scaling: GAUSS, range: [0, 3], mean: 1}", ["has a range and one of mean and sigma"]),
        ("{slha: [DECAY, 25]}", ["must be [BLOCK, [indices]]", "[WIDTH, 25]"]),
        ("{mean: 1, sigma: 0}", ["sigma", "above 0"]),
        ("{mean: 1, VARIANCE: -3}", ["VARIANCE", "-3", "above 0"]),
        ("{mean: 1, sigma: inf}", ["sigma"]),
        ("{mean: inf, sigma: 1}", ["mean", "finite"]),
        ("{scaling: GAUSS}", ["GAUSS needs a mean and a sigma"]),
        ("{scaling: UPPER, mean: 1}", ["UPPER needs a mean and a sigma"]),
        ("{scaling: BIAS, mean: 0, sigma: 1}", ["mean", "other than 0"]),
        ("{scaling: GAUSS, range: [3, 3]}", ["range", "width above 0"]),
        ("{scaling: CFUNCTION}", ["CFUNCTION needs lower_bound"]),
        ("{scaling: CFUNCTION, lower_bound: 3, upper_bound: 2}", ["lower_bound 3 is above upper_bound 2"]),
        ("{scaling: CFUNCTION, lower_bound: inf}", ["lower_bound", "finite"]),
        ("{scaling: CFUNCTION, lower_bound: -1, log_scaling: true}", ["CFUNCTION needs"]),
        ("{scaling: CFUNCTION, mean: 1, sigma: -2}", ["sigma", "above 0"]),
        ("{scaling: gauss, mean: 1, sigma: 2}", ["unknown scaling 'gauss'", "'GAUSS'"]),
        ("{scaling: UPER, mean: 1, sigma: 2}", ["unknown scaling 'UPER'", "'UPPER'"]),
        ("{scaling: LOGUSER}", ["EXPUSER", "MINUSEXPUSER", "ln L"]),
        ("{mean: 1, sigma: 2, log_scaling: maybe}", ["log_scaling", "true or false"]),
        ("{mean: 1, sigma: 2, valid: []}", ["valid", "list of numbers"]),
        ("{mean: 1, sigma: 2, valid: wide}", ["valid", "number"]),
        ("{mean: 1, sigma: 2, slha: [MASS, 25], function: m0}", ["both slha and function"]),
        ("7", ["mapping"]),
    ],
)
def test_wrong_likelihoods_are_refused(fault, settings, words):
    message = fault(observable(settings))
    assert message.startswith("line 7: ")
    for word in words:
        assert word in message


def test_only_types_that_tabulate_may_have_no_likelihood(read, fault):
    assert "no observable enters the likelihood" in fault(observable("{scaling: OFF}"))
    for kind in ("RANDOM", "Random", "SOBOL"):  # these types only tabulate
        assert read(f"setup: {{type: {kind}}}\n" + observable("{scaling: OFF}")).all_observables()
    assert "no observable enters the likelihood" in fault("setup: {type: CMAES}\n" + observable("{scaling: OFF}"))


@pytest.mark.parametrize(
    ("valid", "window"),
    [
        ("[3, 1]", (1.0, 3.0)),
        ("5", (5.0, 5.0)),
        ("['-inf', 2]", (-math.inf, 2.0)),
        ("[1, 5, 3]", (1.0, 5.0)),
        ("[4]", (4.0, 4.0)),
    ],
)
def test_windows_are_read_in_both_spellings(read, valid, window):
    assert read(observable(f"{{mean: 1, sigma: 2, VALID: {valid}}}")).all_observables()[0].valid == window


@pytest.mark.parametrize(
    ("address", "window"),
    [
        ("slha: [BR, [25, [5, -5]]]", (0.0, 1.0)),
        ("slha: [BR1L, 25, 5, -5], SCALING: UPPER", (0.0, 1.0)),
        ("slha: [WIDTH, 25]", (0.0, math.inf)),
        ("slha: [XSECTION, 13000, 1, 2, 3]", (0.0, math.inf)),
        ("slha: [BR, 25, 5, -5], valid: [-1, 2]", (-1.0, 2.0)),
        ("slha: [MASS, 25]", None),
    ],
)
def test_addresses_have_default_windows(read, address, window):
    assert read(observable(f"{{mean: 1, sigma: 2, {address}}}")).all_observables()[0].valid == window


def test_an_address_may_name_a_line_of_a_cross_section(read):
    slha = read(observable("{mean: 1, sigma: 2, slha: [XSECTION, [8000, 2212, 2212, 25]], line: [0, 2.0]}"))
    found = slha.all_observables()[0].slha
    assert (found.line, str(found)) == ((0.0, 2.0), "XSECTION 2212 2212 25 at 8000 GeV in the line 0 2")


@pytest.mark.parametrize("under", ["XS 11 -11 500", "[XS, 11, -11, 500]", "[XS, '11', '-11', '500']"])
def test_an_address_may_name_a_table_within_a_block(read, under):
    slha = read(observable(f"{{mean: 1, sigma: 2, slha: [XS, 2, 25], under: {under}}}"))
    found = slha.all_observables()[0].slha
    assert (found.under, str(found)) == (("XS", "11", "-11", "500"), "XS 2 25 under XS 11 -11 500")


@pytest.mark.parametrize(
    ("address", "block", "indices"),
    [
        ("[MASS, [25]]", "MASS", (25,)),
        ("[mass, 25]", "MASS", (25,)),
        ("[NMIX, [1, 2]]", "NMIX", (1, 2)),
        ("[NMIX, 1, '2']", "NMIX", (1, 2)),
        ("[ALPHA, []]", "ALPHA", ()),
        ("[ALPHA]", "ALPHA", ()),
        ("[WIDTH, 25]", "WIDTH", (25,)),
        ("[BR, [25, [5, -5]]]", "BR", (25, (5, -5))),
        ("[br, 25, 5, -5]", "BR", (25, 5, -5)),
    ],
)
def test_slha_addresses_are_read(read, address, block, indices):
    slha = read(observable(f"{{mean: 1, sigma: 2, SLHA: {address}}}")).all_observables()[0].slha
    assert (slha.block, slha.indices) == (block, indices)


@pytest.mark.parametrize(
    "address",
    [
        "[MASS, [25.5]]",
        "[MASS, [x]]",
        "MASS",
        "[]",
        "[WIDTH]",
        "[WIDTH, [1, 2]]",
        "[BR, 25]",
        "[BR, 25, []]",  # would always be 0, as a closed channel is
        "[BR, [25, 5]]",
        "[BR, 25, [5]]",
        "[NMIX, [1, [2]]]",
        "[MASS, true]",
    ],
)
def test_wrong_slha_addresses_are_refused(fault, address):
    message = fault(observable(f"{{mean: 1, sigma: 2, slha: {address}}}"))
    assert message.startswith("line 7: ") and "[BLOCK, [indices]]" in message


@pytest.mark.parametrize(
    ("address", "said", "scale"),
    [
        ("[XSECTION, [13000, 2212, 2212, 1000022, 1000024]]", "XSECTION 2212 2212 1000022 1000024 at 13000 GeV", 13000),
        ("[xsection, 91.2, 11, -11, 25]", "XSECTION 11 -11 25 at 91.2 GeV", 91.2),
        ("[PROCESS, [ATLAS_1911_12606, MU95EXP]]", "PROCESS ATLAS_1911_12606 MU95EXP", None),
        ("[EFFICIENCIES, [CMS, SR1, 1]]", "EFFICIENCIES CMS SR1 1", None),
    ],
)
def test_addresses_of_cross_sections_and_analyses_are_read(read, address, said, scale):
    slha = read(observable(f"{{mean: 1, sigma: 2, SLHA: {address}}}")).all_observables()[0].slha
    assert (str(slha), slha.scale) == (said, scale)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[XSECTION, [1000.0001, 11, -11, 25]]", "[XSECTION, [1000.0002, 11, -11, 25]]"),
        (
            "[XSECTION, [13000, 2212, 2212, 31]], line: [0, 2, 0, 1, 1, 30024200]",
            "[XSECTION, [13000, 2212, 2212, 31]], line: [0, 2, 0, 1, 1, 30024201]",
        ),
        ("[GAUGE, [1]], scale: 1000.0001", "[GAUGE, [1]], scale: 1000.0002"),
        ("[GAUGE, [1]], scale: 0.1", "[GAUGE, [1]], scale: 0.10000000000000002"),
    ],
)
def test_different_addresses_have_different_names(read, one, other):
    """Names of addresses decide whether a run goes on, and whether evaluators agree."""
    scans = [read(observable(f"{{mean: 1, sigma: 2, slha: {of}}}")) for of in (one, other)]
    names = [str(scan.all_observables()[0].slha) for scan in scans]
    assert names[0] != names[1] and "e+" not in "".join(names)


def test_different_bins_of_flavio_have_different_names():
    assert str(FlavioAddress("BR", (1.1, 6.0000001))) == "BR 1.1 6.0000001"
    assert str(FlavioAddress("BR", (1.0, 6.0))) == "BR 1 6"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("[XSECTION, [2212, 2212, 31]]", "energy in GeV"),
        ("[XSECTION, [-13000, 2212, 2212, 31]]", "energy in GeV"),
        ("[XSECTION, [13000, p, p, 31]]", "energy in GeV"),
        ("[XSECTION]", "energy in GeV"),
        ("[PROCESS, 1]", "[PROCESS, [ANALYSIS, NAME]]"),
        ("[PROCESS, [CMS, [XS, EVENTS]]]", "[PROCESS, [ANALYSIS, NAME]]"),
        ("[EFFICIENCIES, [CMS, SR1]]", "NAME, 0 (or 1: its error)"),
        ("[EFFICIENCIES, [CMS, SR1, 2]]", "NAME, 0 (or 1: its error)"),
        ("[PROCESS, [CMS, XS]], column: 2", "column is for entries of blocks; PROCESS is not one"),
        ("[BR, [25, 5, -5]], scale: 2", "scale is for entries of blocks; BR is not one"),
        ("[MASS, 25], line: [0, 2]", "line is for XSECTION"),
        (
            "[XSECTION, [13000, 2212, 2212, 25]], line: [0, 0, 0, 0, 0, 0, 0]",
            "must be at most six numbers: scale scheme",
        ),
        ("[XSECTION, [13000, 2212, 2212, 25]], line: NLL", "line is 'NLL', but must be a list of numbers"),
        ("[BR, [25, 5, -5]], under: XS", "under is for entries of blocks; BR is not one"),
        ("[XS, [2, 25, 23]], under: 500", "must be the first words of the line that heads the table"),
        ("[XS, [2, 25, 23]], under: []", "must be the first words of the line that heads the table"),
    ],
)
def test_wrong_addresses_of_cross_sections_and_analyses_are_refused(fault, address, words):
    message = fault(observable(f"{{mean: 1, sigma: 2, slha: {address}}}"))
    assert message.startswith("line 7: ") and words in message


# ---- names, codes, blocks


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (observable("{mean: 1, sigma: 2}", "m0"), 7, ["'m0' is already the name of a variable"]),
        (BASE + "observables:\n  x: {function: m0}\n", 9, ["'x' is an observable of the code 'toy' too"]),
        (BASE + "derived_variables: {m0: m0**2}\n", 8, ["'m0' is already the name of a variable"]),
        (BASE + "derived_variables:\n  d: m0\nobservables:\n  d: {function: m0}\n", 11, ["a derived variable"]),
        (observable("{mean: 1, sigma: 2}", "NLL"), 7, ["'NLL'", "column of the results"]),
        (BASE.replace("m0", "id"), 2, ["'id'", "column of the results"]),
        (BASE.replace("m0", "warnings"), 2, ["'warnings'", "column of the results"]),
        (observable("{mean: 1, sigma: 2}", "iteration"), 7, ["'iteration'", "column of the results", "rename"]),
        (BASE.replace("m0", "VARIABLE"), 2, ["'VARIABLE'"]),
        (BASE + "observables:\n  y: {mean: 1, sigma: 1}\n", 9, ["needs slha or function"]),
        (BASE + "observables:\n  y:\n", 9, ["needs slha or function"]),
        (BASE + "blocks:\n  MINPAR: {x: 1}\n", 9, ["'x' is not an SLHA index"]),
        (BASE + "blocks:\n  MINPAR: {1: 1}\n  minpar: {'01': 2}\n", 10, ["twice"]),
        (BASE + "blocks:\n  MINPAR: {1: 1, '1': 2}\n", 9, ["twice"]),
        (BASE + "Fitting: {Variables: {a: {RANGE: [0, 1]}}}\n", 8, ["Fitting", "the observables to meet"]),
        (BASE.replace("function: toy:f", "run: 'False'\n    function: toy:f"), 3, ["no code runs"]),
        ("codes: {}\nvariables: {m0: [1, 2]}\n", 1, ["no code runs"]),
        ("variables: {}\ncodes: {}\n", 1, ["no variables"]),
        (BASE.replace("function: toy:f", "conditions: [{a: 1}]\n    function: toy:f"), 5, ["list of texts"]),
    ],
)
def test_wrong_names_codes_and_blocks_are_refused(fault, text, line, words):
    message = fault(text)
    assert message.startswith(f"line {line}: ")
    for word in words:
        assert word in message


def test_codes_keep_their_order_and_derived_variables_are_read(read):
    scan = read(
        BASE + "  later:\n    function: toy:g\n    observables: {z: }\n"
        "  off: {Run: 'False', HiggsBounds Dataset: there, Observables: {w: {}}}\n"
        "Derived Variables: {d: m0**2, e2: 2*d}\nObservables: {top: {FUNCTION: z + 1, VALID: [0, inf]}}\n"
    )
    assert [observable.name for observable in scan.all_observables()] == ["d", "e2", "x", "z", "top"]
    assert [observable.code for observable in scan.all_observables()] == [None, None, "toy", "later", None]
    assert [observable.function for observable in scan.all_observables()] == ["m0**2", "2*d", None, None, "z + 1"]
    assert [code.name for code in scan.codes] == ["toy", "later"]


def test_blocks_are_read(read):
    scan = read(BASE + "Blocks: {minpar: {1: m0+1, '3': 10, 9: 1e-4}, NMIX: {'1, 2': 0.5}, ALPHA: {'': 0.1}}\n")
    assert scan.blocks == {
        "MINPAR": {(1,): "m0+1", (3,): "10", (9,): "0.0001"},
        "NMIX": {(1, 2): "0.5"},
        "ALPHA": {(): "0.1"},
    }


def test_a_program_without_files_gives_a_note(read):
    body = "variables: {a: [0, 1]}\ncodes: {c: {CODE, observables: {x: {mean: 1, sigma: 2}}}}\n"
    skip = "Setup: {Skip SLHA Files: 'True'}\n" + body
    assert read(skip.replace("CODE", "command: cp")).notes == (
        "Setup: Skip SLHA Files has no effect: a program always gets files",
    )
    assert read(skip.replace("CODE", "function: 'm:f'")).notes == ()


@pytest.mark.parametrize("run", ['Run: "False"', "Run: 0", "run: no"])
def test_a_code_that_is_switched_off_may_hold_anything(read, run):
    scan = read(BASE.replace("codes:", f"codes:\n  MadGraph: {{{run}, Process: p p > t t~, PDGs: 1}}"))
    assert [code.name for code in scan.codes] == ["toy"]
