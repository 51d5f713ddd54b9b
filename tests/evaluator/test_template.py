"""Templates are filled in, and everything else in them stays as it is."""

import os
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator import InvalidPoint
from evaluator.codes.template import Template
from evaluator.errors import ConfigurationError

NAMES = {"m0": 1e3, "tanb": 10.0, "A0": -1e4, "n": 0.5}
ROW = [1e3, 10.0, -1e4, 0.5]


@pytest.fixture
def render(tmp_path):
    def render(text, blocks=None, names=NAMES, row=ROW, integers=()):
        path = tmp_path / "in.slha"
        path.write_text(text)
        where = "scan.yaml, line 7"
        template = Template(path, names, variables=len(row), where=where, blocks=blocks or {}, integers=integers)
        return template.render(names, row)

    return render


def test_lines_and_spacing_stay(render):
    text = (
        "# a card\n\nBLOCK  MODSEL   # choice\n     1     0     # no SUSY\n  007   1D2 # as written\n\nBlock MINPAR\n"
    )
    assert render(text) == text
    assert render(text.removesuffix("\n")) == text


def test_values_are_filled_in(render):
    assert render("BLOCK MINPAR\n     1     m0      # GeV\n\t3\ttanb\n     5 A0/2+VARIABLE[1]#x\n") == (
        "BLOCK MINPAR\n     1     1.00000000E+03      # GeV\n\t3\t1.00000000E+01\n     5 -4.99000000E+03#x\n"
    )


def test_numbers_have_the_format_that_all_programs_read(render):
    # simsusy treats -1e4 as missing
    assert render("BLOCK X\n 1 A0\n 2 m0/1e9\n 3 2*21\n 4 int(m0)\n 5 True\n 6 1/3\n") == (
        "BLOCK X\n 1 -1.00000000E+04\n 2 1.00000000E-06\n 3 42\n 4 1000\n 5 1.00000000E+00\n 6 3.3333333333333331E-01\n"
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_program_reads_the_same_number_as_the_dataset_holds(render, number):
    names = {**NAMES, "n": number}
    text = render("BLOCK X Q= n # n\n 1 n\n", names=names, row=[*ROW[:3], number])
    words = [line.split("#")[0].split()[-1] for line in text.splitlines()]
    assert [float(word) for word in words] == [number, number]
    assert all(re.fullmatch(r"-?\d\.\d{8}(\d{8})?E[+-]\d{2,3}", word) for word in words)


def test_close_masses_stay_different(render):
    text = render("BLOCK X\n 1 m0\n 2 m0+n\n", {"X": {(3,): "1000.123456789012"}}, {**NAMES, "n": 1e-9})
    first, second, third = (float(line.split()[1]) for line in text.splitlines()[1:])
    assert (second - first, third) == (1000.0 + 1e-9 - 1000.0, 1000.123456789012)


CROSS_SECTIONS = (
    "XSECTION  {}  2212 2212 2 1000022 1000024 # 10-13 TeV\n"
    " 0  0  0  1.0  1.0  10042  {}  Prospino 2.1  # the first line\n 0 1 0 1.0 1.0 10042 3.1D-02 NLLfast 3.1\n"
    "BLOCK A\n 1 {}\n"
)
DECAYS = "DECAY1L 25 {} # h\n {} 2 5 -5 # b bbar\n {}\t3 24 -12 11\nBLOCK A\n 1 2\n"


@pytest.mark.parametrize(
    ("text", "values"),
    [(CROSS_SECTIONS, ("m0", "n", "tanb")), (DECAYS, ("m0", "1-n", "tanb"))],
    ids=["cross sections", "decays"],
)
def test_tables_are_kept(render, text, values):
    filled = text.format("1.00000000E+03", "5.00000000E-01", "1.00000000E+01")
    assert render(text.format(*values)) == filled
    assert render(filled) == filled


def test_bytes_that_are_not_text_pass_unchanged(tmp_path):
    template = b"Block MINPAR # caf\xe9 \xff\n   1   m0 # \xb5 in \xb5m, \xce\xbc\n   2   'na\xefve'\n"
    (tmp_path / "in.slha").write_bytes(template)
    Template(tmp_path / "in.slha", NAMES, variables=len(ROW), where="scan.yaml, line 7").write(
        tmp_path / "out.slha", NAMES, ROW
    )
    wanted = template.replace(b"m0", b"1.00000000E+03").replace(b"'", b"")
    assert (tmp_path / "out.slha").read_bytes() == wanted


def test_a_template_in_utf_16_is_refused(tmp_path):
    (tmp_path / "in.slha").write_text("Block MINPAR\n 1 m0\n", encoding="utf-16")
    with pytest.raises(ConfigurationError, match=r"line 1 has a zero byte, as files in UTF-16 have; save it as plain"):
        Template(tmp_path / "in.slha", NAMES, variables=len(ROW), where="scan.yaml, line 7")


def test_a_template_that_is_not_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "in.slha")  # nobody writes into this pipe
    with pytest.raises(ConfigurationError, match="is a named pipe, not a file"):
        Template(tmp_path / "in.slha", NAMES, variables=len(ROW), where="scan.yaml, line 7")


def test_quoted_texts_lose_their_quotes(render):
    assert (
        render("BLOCK A\n 1 'SPheno'  # name\n 2 \"two words\"\n 3 'm0'\n")
        == "BLOCK A\n 1 SPheno  # name\n 2 two words\n 3 m0\n"
    )


def test_decay_widths_are_filled_in(render):
    assert render("DECAY 25 m0*4e-6 # h\n 0.5 2 5 -5\n") == "DECAY 25 4.00000000E-03 # h\n 0.5 2 5 -5\n"


def test_blocks_of_the_scan_file_override_entries_add_entries_and_add_blocks(render):
    blocks = {
        "MINPAR": {(1,): "m0*2", (3,): "-1e4", (9,): "7", (4,): "'text'"},
        "NMIX": {(1, 2): "n"},
        "ALPHA": {(): "0.1"},
    }
    text = "Block minpar\n 1   m0 # was m0\n 3 5\nBLOCK ALPHA\n  0.3 # no index\nDECAY 25 1.0\n"
    assert render(text, blocks) == (
        "Block minpar\n 1   2.00000000E+03 # was m0\n 3 -1.00000000E+04\n     9   7\n     4   text\n"
        "BLOCK ALPHA\n  1.00000000E-01 # no index\nDECAY 25 1.0\nBLOCK NMIX\n     1     2   5.00000000E-01\n"
    )


def test_an_override_reaches_every_block_of_its_name(render):
    text = "BLOCK MSOFT Q= 1\n 1 5\nBLOCK OTHER\n 1 6\nBLOCK MSOFT Q= 2\n 1 7\n"
    assert render(text, {"MSOFT": {(1,): "8"}}) == text.replace("1 5", "1 8").replace("1 7", "1 8")


def test_an_entry_is_added_to_the_last_block_of_its_name(render):
    text = "BLOCK MSOFT Q= 1\n 1 5\nBLOCK OTHER\n 1 6\nBLOCK MSOFT Q= 2\n 1 7\nDECAY 25 1.0\n"
    assert render(text, {"MSOFT": {(2,): "8"}}) == text.replace("DECAY", "     2   8\nDECAY")


def test_a_scale_may_be_an_expression(render):
    text = "Block MSOFT Q= {}  # GeV\n 1 5\nBLOCK HMIX q={}\n 1 5\nBLOCK A Q= 1.0D+03\n 1 6\n"
    assert render(text.format("m0/2", "m0")) == text.format("5.00000000E+02", "1.00000000E+03")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (" 1 e", ["in.slha, line 3: ", "write 'e', in quotes", "1*e"]),
        (" 1 inf", ["in.slha, line 3: ", "write 'inf', in quotes"]),
        ("Block MSOFT Q= mo", ["in.slha, line 3: ", "'mo'", "did you mean 'm0'?"]),
        (" 1 mo", ["in.slha, line 3: ", "'mo'", "did you mean 'm0'?", "in quotes: 'mo'"]),
        (" 1 SPheno", ["in.slha, line 3: ", "'SPheno'", "in quotes"]),
        (" 22 m0 * 2", ["in.slha, line 3: ", "no blanks"]),
        (" 22 x * 2", ["in.slha, line 3: ", "no blanks"]),
        (" 1 two words", ["in.slha, line 3: ", "in quotes"]),
        (" 1 m0.real", ["in.slha, line 3: "]),
        (" 1 VARIABLE[4]", ["in.slha, line 3: ", "4 variables"]),
        ("XSECTION mo 2212 2212 1 32", ["in.slha, line 3: ", "'mo'", "did you mean 'm0'?"]),
        ("XSECTION 1.3E4 2212 2212 1 32\n 0 0 0 0 0 0 mo", ["in.slha, line 4: ", "'mo'"]),
        ("DECAY 25 1.0\n mo 2 5 -5", ["in.slha, line 4: ", "'mo'"]),
    ],
)
def test_misspelt_values_are_refused(render, line, words):
    with pytest.raises(ConfigurationError) as caught:
        render(f"# top\nBLOCK A\n{line}\n")
    for word in words:
        assert word in str(caught.value)


def test_a_misspelt_override_is_refused(render):
    with pytest.raises(ConfigurationError, match=r"blocks.*'mo'"):
        render("BLOCK A\n 1 2\n", {"B": {(1,): "mo"}})


def test_a_missing_template_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"scan\.yaml, line 7: the template .*none\.slha cannot be read"):
        Template(tmp_path / "none.slha", [], variables=0, where="scan.yaml, line 7")


@pytest.mark.parametrize("text", ["1/(m0-1000)", "sqrt(A0)", "exp(m0)"])
def test_a_nan_is_never_written_into_an_input(render, text):
    with pytest.raises(InvalidPoint, match="no finite value"):
        render(f"BLOCK A\n 1 {text}\n")


def test_whole_numbers_are_written_as_such(render):
    names = {"n": 3.0, "x": 3.0}
    text = "BLOCK A\n 1 n\n 2 2*n\n 3 x\n 4 n/2\n"
    written = "BLOCK A\n 1 3\n 2 6\n 3 3.00000000E+00\n 4 1.50000000E+00\n"
    assert render(text, names=names, row=[3.0, 3.0], integers=["n"]) == written


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (" 1 'a#b.dat' # c", " 1 a#b.dat # c"),
        (' 1 "a # b"# c', " 1 a # b# c"),
        (" 1 m0 # it's 'quoted", " 1 1.00000000E+03 # it's 'quoted"),
        (" 1 '' # none", " 1  # none"),
    ],
)
def test_a_comment_begins_outside_of_quotes(render, line, written):
    assert render(f"BLOCK A\n{line}\n") == f"BLOCK A\n{written}\n"


@pytest.mark.parametrize("line", [" 1 'a' 'b'", " 1 'it''s'", " 1 some 'text'"])
def test_only_an_index_may_stand_before_a_quoted_text(render, line):
    with pytest.raises(ConfigurationError, match=r"line 2: .* is neither an index nor the value"):
        render(f"BLOCK A\n{line}\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BLOCK X\n 1 1.0-101\n", "line 2: 1.0-101 may be a difference or, as Fortran writes it, 1.0E-101"),
        ("BLOCK X\n 1 5\nBLOCK HMIX Q= m0 + 1\n", "line 3: an expression must have no blanks"),
        ("BLOCK HMIX Q= 2 * m0 # GeV\n", "line 1: an expression must have no blanks"),
    ],
)
def test_an_ambiguous_value_is_refused(render, text, words):
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        render(text)


def test_words_behind_a_scale_are_kept(render):
    assert render("Block HMIX Q= m0 (SUSY scale)\n") == "Block HMIX Q= 1.00000000E+03 (SUSY scale)\n"


@pytest.mark.parametrize(
    ("head", "written"),
    [
        ("Block HMIX (Q= 1.0E+03)", "Block HMIX (Q= 1.0E+03)"),
        ("Block HMIX (Q= m0) # SUSY", "Block HMIX (Q= 1.00000000E+03) # SUSY"),
        ("Block HMIX [Q= 2*(m0+m0)]", "Block HMIX [Q= 4.00000000E+03]"),
    ],
)
def test_a_scale_may_stand_in_brackets(render, head, written):
    assert render(f"{head}\n") == f"{written}\n"


@pytest.mark.parametrize(
    ("line", "byte"), [(b" 1 \xb5", "B5"), (b"\xa0 1 m0", "A0"), (b" 1 m0\x07", "07"), (b"\x1a", "1A")]
)
def test_a_byte_that_is_no_text_is_named(tmp_path, line, byte):
    path = tmp_path / "in.slha"
    path.write_bytes(b"Block A # \xe9\n" + line + b"\n")
    with pytest.raises(ConfigurationError, match=f"in.slha, line 2: the byte 0x{byte} stands here, which is not a "):
        Template(path, ["m0"], variables=1, where="scan.yaml, line 5")


def test_a_number_that_does_not_fit_into_a_double_is_refused(render):
    with pytest.raises(ConfigurationError, match="1e400 is larger than any number"):
        render("BLOCK X\n 1 5\n", {"X": {(1,): "1e400"}})


def test_an_entry_twice_in_a_block_is_refused_where_it_varies(render):
    with pytest.raises(ConfigurationError, match=r"line 3: the entry 1 of this block is also in line 2; remove one"):
        render("BLOCK X\n 1 m0\n 1 5\n")
    with pytest.raises(ConfigurationError, match=r"line 4: the entry 1 2 of this block is also in line 2"):
        render("BLOCK X\n 1 2 7\n 1 1 m0\n 1 2 m0\n")
    twice = "BLOCK X\n 1 5\n 1 6\nBLOCK X Q= 100\n 1 m0\nDECAY 25 1.0\n m0 2 5 -5\n m0 2 4 -4\n"
    assert render(twice).count("1.00000000E+03") == 3
    assert render("BLOCK X\n 1 5\n 1 6\n", {"X": {(1,): "m0"}}).count("1.00000000E+03") == 2


def test_an_invisible_sign_is_refused_outside_comments(render):
    with pytest.raises(ConfigurationError, match=r"line 2: the invisible sign .*NO-BREAK SPACE, U\+00A0"):
        render("BLOCK X\n 1\u00a0m0\n")
    assert "\u00a0" in render("BLOCK X\n 1 m0 #\u00a0GeV\n")
    assert "a\u00a0b" in render("BLOCK X\n 1 'a\u00a0b'\n")


def test_check_says_that_a_template_has_no_variable(program_scan, tmp_path):
    scan = program_scan("spheno.sh")

    def check(template):
        (tmp_path / "in.slha").write_text(template)
        command = [sys.executable, "-m", "evaluator", "check", str(scan)]
        return " ".join(subprocess.run(command, capture_output=True, text=True, check=False).stdout.split())

    assert "the template in.slha has no variable, so " in check("BLOCK MODSEL\n 1 1\n")
    assert "has no variable" not in check("BLOCK MODSEL\n 1 VARIABLE[0]\n")
