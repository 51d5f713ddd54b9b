"""One point through a program with an odd output: the status of the point and the message."""

import pytest

from evaluator.chain import Chain, Status
from scanspec import read_scan_file

SCAN = """variables: {{x: [0, 1]}}
codes:
  gen:
    command: ./copy.sh {{input}} {{output}} fixed.slha
    input_file: in.slha
    {settings}
    observables:
      a: {{{observable}, scaling: UPPER, mean: 0.01, sigma: 0.001}}
{more}
"""
MASS = "Block MASS\n 25 1.25E+02 # h\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "copy.sh").write_text('#!/bin/sh\ncp "$3" "$2"\n')
    (tmp_path / "copy.sh").chmod(0o755)
    (tmp_path / "in.slha").write_bytes(b"Block MINPAR # caf\xe9\n   1   x\n")

    def run(output, observable, settings="", more=""):
        (tmp_path / "fixed.slha").write_text(output)
        text = SCAN.format(settings=settings, observable=observable, more=more)
        (tmp_path / "scan.yaml").write_text(text)
        return Chain(read_scan_file(tmp_path / "scan.yaml")).evaluate([0.5], tmp_path / "point")

    return run


@pytest.mark.parametrize("block", ["SPINFO", "DCINFO", "FCINFO", "RDINFO"])
def test_reasons_in_comments_are_in_the_message(run, block):
    """NMSSMTools writes its reasons in comments."""
    text = f"Block {block}   # program\n 1  MYCODE # calculator\n {{}}   # muon moment off\n {{}}  # too large\n{MASS}"
    outcome = run(text.format(3, 3), "slha: [MASS, 25]")
    assert outcome.status is Status.OK
    assert outcome.warnings == [f"{block} 3: muon moment off", f"{block} 3: too large"]
    outcome = run(text.format(3, 4), "slha: [MASS, 25]")
    assert (outcome.status, outcome.message) == (Status.INVALID, f"{block} 4: too large")
    assert run(text.format(4, 4), "slha: [MASS, 25]").message == f"{block} 4: muon moment off; too large"
    assert run(text.format(4, 4), "slha: [MASS, 25]", "invalid_when: {spinfo: no}").status is Status.OK


GAUGE = "Block GAUGE Q= 1.0E+03\n 1 0.36 # g1\n 2 0.64\nBlock gauge Q= 1.0E+16\n 1 {} # g1\n 2 0.64\n"


def test_a_value_that_differs_between_scales_comes_with_a_warning(run):
    """SPheno writes its couplings at several scales. Without `scale` the last block counts."""
    outcome = run(GAUGE.format(0.57), "slha: [GAUGE, 1]")
    assert (outcome.status, outcome.observables) == (Status.OK, [0.57])
    words = "the output has GAUGE 1 with different values at Q = 1000, 1e+16; without `scale` the last block counts"
    assert outcome.warnings == [words]
    assert run(GAUGE.format(0.57), "slha: [GAUGE, 1]", more="observables: {b: {slha: [GAUGE, 1]}}").warnings == [words]
    outcome = run(GAUGE.format(0.57), "slha: [GAUGE, 1], scale: 1000")
    assert (outcome.observables, outcome.warnings) == ([0.36], [])
    assert run(GAUGE.format(0.36), "slha: [GAUGE, 1]").warnings == []  # the same value
    assert run(GAUGE.format(0.57), "slha: [GAUGE, 2]").warnings == []


TWICE = [  # what is read, the file with one value there and {} elsewhere, and the warning behind the address
    ("slha: [GAUGE, 1]", GAUGE.replace("E+16", "E+03"), ": 0.36, 0.57; the last block counts"),
    ("slha: [GAUGE, 1], scale: 1000", GAUGE.replace("E+16", "E+03"), ": 0.36, 0.57; the last block counts"),
    ("slha: [MASS, 25]", "Block MASS\n 25 0.36\nBlock A\n 1 1\nBlock MASS\n 25 {}\n", ": 0.36, 0.57; the last"),
    ("slha: [A, 1]", "Block A Q= 91\n 1 0.36\nBlock A\n 1 {}\n", " at Q = 91, none; without `scale` the last block"),
    ("slha: [Q 32, 1]", "Block Q 32\n 1 0.36\nBlock Q 32\n 1 {}\n", ": 0.36, 0.57; the last"),
    ("slha: [BR, 25, [5, -5]]", "DECAY 25 1\n 0.36 2 5 -5\nDECAY 25 1\n {} 2 5 -5\n", ": 0.36, 0.57; the last"),
    ("slha: [WIDTH, 25]", "DECAY 25 0.36\nDECAY 6 1.3\nDECAY 25 {}\n", ": 0.36, 0.57; the last table of"),
    (
        "slha: [WIDTH1L, 25]",
        "DECAY 6 1\nDECAY1L 25 0.36\nDECAY1L 25 {}\n",
        ": 0.36, 0.57; the last table of",
    ),
    ("slha: [PROCESS, A_1, XS]", "Block PROCESS A_1\n XS 0.36\nBlock PROCESS A_1\n XS {}\n", ": 0.36, 0.57; the last"),
]


@pytest.mark.parametrize(("what", "text", "words"), TWICE)
def test_a_value_that_differs_between_blocks_of_one_name_comes_with_a_warning(run, what, text, words):
    """A later code may have written the last block, which counts. But it may also be a fault of the program."""
    outcome = run(text.format(0.57), what)
    assert (outcome.status, outcome.observables, len(outcome.warnings)) == (Status.OK, [0.57], 1)
    assert outcome.warnings[0].startswith("the output has ") and f" with different values{words}" in outcome.warnings[0]
    assert run(text.format("3.6E-01"), what).warnings == []  # the same value
    assert run(text.format(0.57) + "Block OTHER\n 1 7\n", "slha: [OTHER, 1]").warnings == []  # is not asked for


def test_a_function_that_reads_such_a_value_gives_the_warning_too(run, tmp_path):
    (tmp_path / "m.py").write_text("def f(point):\n    return {'b': point.spectrum['GAUGE', 1]}\n")
    later = "  later: {function: 'm:f', observables: {b: {}}}"
    assert run(GAUGE.format(0.57), "slha: [GAUGE, 2]", more=later).warnings == [
        "the output has GAUGE 1 with different values at Q = 1000, 1e+16; without `scale` the last block counts"
    ]


OBSINFO = """Block OBSINFO
     1     3   a_muon: non-perturbative running
Block FlexibleSUSYLowEnergy Q= 1.0E+03
    21     {}   # Delta(g-2)_muon/2
"""


def test_an_entry_that_was_not_computed_is_not_read_as_zero(run):
    muon = "slha: [FlexibleSUSYLowEnergy, 21]"
    outcome = run(MASS + OBSINFO.format("0.00000000E+00"), muon)
    assert outcome.status is Status.FAILED
    assert (
        "FLEXIBLESUSYLOWENERGY 21 was not computed: it is 0, and the output reports OBSINFO 3: a_mu" in outcome.message
    )
    outcome = run(MASS + OBSINFO.format("1.5E-09"), muon)
    assert (outcome.status, outcome.warnings) == (Status.OK, ["OBSINFO 3: a_muon: non-perturbative running"])
    assert run(MASS + OBSINFO.format("0.0"), "slha: [MASS, 25]").status is Status.OK  # the scan does not use that entry
    top = f"observables: {{b: {{{muon}}}}}"
    assert run(MASS + OBSINFO.format("0.0"), "slha: [MASS, 25]", more=top).status is Status.FAILED
    assert run(MASS + OBSINFO.format("0.0"), muon, "invalid_when: {spinfo: no}").status is Status.OK
    assert run(MASS + OBSINFO.format("0.0").split("Block F")[0], "slha: [BR, [25, [1, 2]]]").status is Status.FAILED


GENERAL = OBSINFO.replace("1     3   a_muon: non-perturbative running", "0     3   # exception thrown")
MORE = (
    "    23     0.0   # electric dipole moment of Fe(0)\nBlock FWCOEF\n 0305 4422 00 2 0.0 # C7\nBlock HMIX\n 5 0.0\n"
)


@pytest.mark.parametrize(
    ("problem", "entry", "refused"),
    [
        (OBSINFO, "[FlexibleSUSYLowEnergy, 21]", True),
        (OBSINFO, "[FlexibleSUSYLowEnergy, 23]", False),
        (OBSINFO, "[FWCOEF, [305, 4422, 0, 2]]", False),
        (OBSINFO, "[HMIX, 5]", False),
        (GENERAL, "[FlexibleSUSYLowEnergy, 21]", True),
        (GENERAL, "[FlexibleSUSYLowEnergy, 23]", True),
        (GENERAL, "[FWCOEF, [305, 4422, 0, 2]]", True),
        (GENERAL, "[HMIX, 5]", False),
        (GENERAL, "[BR, [25, [22, 22]]]", False),
    ],
)
def test_a_zero_that_no_problem_explains_is_read_as_zero(run, problem, entry, refused):
    decay = "DECAY 25 4E-3\n 1.0 2 5 -5\n"
    outcome = run(MASS + problem.format("0.0") + MORE + decay, f"slha: {entry}")
    if refused:
        assert outcome.status is Status.FAILED and "was not computed: it is 0" in outcome.message
    else:
        assert (outcome.status, outcome.observables) == (Status.OK, [0.0])


DECAY = MASS + "DECAY 25 {}\n  {}   2   -15   15\nXSECTION 1.3E4 2212 2212 1 25\n 0 0 0 0 0 0 {}\n"


@pytest.mark.parametrize(
    ("observable", "values"),
    [
        ("slha: [BR, [25, [15, -15]]]", ("1.3", "-1.2E-01", "1")),
        ("slha: [BR, [25, [15, -15]]]", ("1.3", "1.01", "1")),
        ("slha: [WIDTH, 25]", ("-1.3", "0.5", "1")),
        ("slha: [XSECTION, [13000, 2212, 2212, 25]]", ("1.3", "0.5", "-1")),
    ],
)
def test_an_impossible_value_is_outside_its_default_window(run, observable, values):
    outcome = run(DECAY.format(*values), observable)
    assert outcome.status is Status.INVALID and "a = " in outcome.message
    assert run(DECAY.format("1.3", "0.5", "1"), observable).status is Status.OK
    assert run(DECAY.format(*values), observable + ", valid: [-10, 10]").status is Status.OK


def test_an_entry_with_two_values_fails_the_point(run):
    text = "BLOCK GUTRUN Q= 1.0E+16\n 1 0.31 # lambda\n 2 0.22 # kappa\n# BLOCK FINETUNING\n 1 13.4 # tuning\n"
    outcome = run(text, "slha: [GUTRUN, 1]")
    assert outcome.status is Status.FAILED
    assert "GUTRUN 1 more than once, and not the same: 0.31, 13.4" in outcome.message
    assert run(text, "slha: [GUTRUN, 2]").observables == [0.22]


def test_a_table_within_a_block_is_read(run):
    text = "Block XS\nXS 11 -11 500.0 # GeV\n 1.5 2 25 23\nXS 11 -11 1000.0\n 2.5 2 25 23\n"
    address = "slha: [XS, [2, 25, 23]], column: 1"
    assert run(text, f"{address}, under: XS 11 -11 1000").observables == [2.5]
    assert run(text, f"{address}, under: [XS, 11, -11, 500]").observables == [1.5]
    assert run(text, address).status is Status.FAILED


def test_a_line_of_a_cross_section_is_read(run):
    text = "XSECTION 13000 2212 2212 2 6 -6\n 0 0 0 0 0 0 500.0 LO\n 0 2 0 0 0 0 830.0 NLL\n"
    address = "slha: [XSECTION, [13000, 2212, 2212, 6, -6]]"
    chosen, first = run(text, f"{address}, line: [0, 2]"), run(text, address)
    assert (chosen.observables, chosen.warnings) == ([830.0], [])
    assert first.observables == [500.0] and "0 0 0 0 0 0 = 500.0, 0 2 0 0 0 0 = 830.0" in first.warnings[0]
    assert run(text, f"{address}, line: [0, 1]").status is Status.FAILED


@pytest.mark.parametrize("word", ["-1.#IND", "1.#INF", "1.#QNAN0", "-1.#IND00E+000", "1.#J", "-1.#IO", "1.#R"])
def test_nan_as_windows_writes_it_is_not_a_number(run, word):
    outcome = run(f"Block MASS\n 25 {word}  # h\n 24 1.# W\n", "slha: [MASS, 25]")
    assert outcome.status is Status.OK and outcome.observables[0] != outcome.observables[0]
    assert run(f"Block MASS\n 25 {word}  # h\n 24 1.# W\n", "slha: [MASS, 24]").observables == [1.0]


def test_a_value_that_rounds_to_the_limit_is_shown_with_all_digits(run):
    outcome = run(MASS + "DECAY 25 4E-3\n 1.00000001 2 5 -5\n", "slha: [BR, [25, [5, -5]]]")
    assert (outcome.status, outcome.message) == (Status.INVALID, "a = 1.00000001 is outside [0, 1]")
