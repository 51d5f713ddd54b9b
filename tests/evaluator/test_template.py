"""Templates: what is filled in, and that all the rest stays as it is."""

import pytest

from evaluator.errors import ConfigurationError, InvalidPoint
from evaluator.template import Template

NAMES = {"m0": 1e3, "tanb": 10.0, "A0": -1e4, "n": 0.5}
ROW = [1e3, 10.0, -1e4, 0.5]


@pytest.fixture
def render(tmp_path):
    def render(text, blocks=None, names=NAMES, row=ROW):
        path = tmp_path / "in.slha"
        path.write_text(text)
        return Template(path, names, blocks or {}, len(row), "scan.yaml, line 7").render(names, row)

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
    # simsusy reads -1e4 as not given
    assert render("BLOCK X\n 1 A0\n 2 m0*1e-10\n 3 2*21\n 4 int(m0)\n 5 True\n 6 1/3\n") == (
        "BLOCK X\n 1 -1.00000000E+04\n 2 1.00000000E-07\n 3 42\n 4 1000\n 5 1.00000000E+00\n 6 3.33333333E-01\n"
    )


def test_quoted_texts_lose_their_quotes(render):
    assert (
        render("BLOCK A\n 1 'SPheno'  # name\n 2 \"two words\"\n 3 'm0'\n")
        == "BLOCK A\n 1 SPheno  # name\n 2 two words\n 3 m0\n"
    )


def test_decay_widths(render):
    assert render("DECAY 25 m0*4e-6 # h\n 0.5 2 5 -5\n") == "DECAY 25 4.00000000E-03 # h\n 0.5 2 5 -5\n"


def test_blocks_override_add_and_begin(render):
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
    ],
)
def test_misspelt_values_are_errors(render, line, words):
    with pytest.raises(ConfigurationError) as caught:
        render(f"# top\nBLOCK A\n{line}\n")
    for word in words:
        assert word in str(caught.value)


def test_a_misspelt_override_is_an_error(render):
    with pytest.raises(ConfigurationError, match=r"blocks.*'mo'"):
        render("BLOCK A\n 1 2\n", {"B": {(1,): "mo"}})


def test_a_template_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match=r"scan\.yaml, line 7: the template .*none\.slha cannot be read"):
        Template(tmp_path / "none.slha", [], {}, 0, "scan.yaml, line 7")


@pytest.mark.parametrize("text", ["1/(m0-1000)", "sqrt(A0)", "exp(m0)"])
def test_no_program_is_given_a_nan(render, text):
    with pytest.raises(InvalidPoint, match="no finite value"):
        render(f"BLOCK A\n 1 {text}\n")
