"""Letters and signs that look like others are named in messages, and two names that look alike are refused."""

import pytest

from scanspec import ScanFileError, read_scan_file
from scanspec.document import closest
from scanspec.expressions import ExpressionError, parse
from scanspec.lookalike import odd_sign

SCAN = """\
setup:
  seed: 1
  run_name: a
variables:
  x: [0, 1]
codes:
  c: {function: 'f:f', observables: {o: {mean: 1, sigma: 1}}}
"""


def message(tmp_path, old, new):
    assert old in SCAN
    path = tmp_path / "scan.yaml"
    path.write_text(SCAN.replace(old, new), encoding="utf-8")
    with pytest.raises(ScanFileError) as caught:
        read_scan_file(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  run_name: a", "\u00a0\u00a0run_name: a", "line 3: unknown key '\\xa0\\xa0run_name'; the invisible sign"),
        ("  run_name: a", "  run_name:\u00a0a", "line 3: the invisible sign '\\xa0' (NO-BREAK SPACE, U+00A0)"),
        ("  run_name: a", "  run_name\uff1a a", "line 3: '\uff1a' (FULLWIDTH COLON, U+FF1A) stands here; write :"),
        ("  x:", "  x\u200b:", "line 5: variables: 'x\\u200b': the invisible sign '\\u200b' (ZERO WIDTH SPACE"),
        ("[0, 1]", "[\u22121, 1]", "line 5: variables: x is ['\u22121', 1], but must be a list of 2 numbers: '\u2212'"),
    ],
)
def test_the_sign_that_is_not_from_a_keyboard_is_named(tmp_path, old, new, words):
    assert words in message(tmp_path, old, new)


def test_two_names_that_look_alike_are_refused(tmp_path):
    said = message(tmp_path, "  x: [0, 1]", "  x: [0, 1]\n  \u0445: [0, 1]")
    assert "line 6" in said and "CYRILLIC SMALL LETTER HA" in said and "rename one" in said
    said = message(tmp_path, "{o: ", "{\u0445: {mean: 1, sigma: 1}, o: ")
    assert "line 7" in said and "looks the same" in said


def test_a_name_twice_is_shown_where_it_is_the_second_time(tmp_path):
    said = message(tmp_path, "  x: [0, 1]", "  \u00b5: [0, 1]\n  \u03bc: [0, 1]")
    assert "line 6: variables: \u03bc is there twice, first in line 5" in said


def test_an_unknown_name_is_compared_as_it_is_printed():
    assert closest("\u043e", ["a", "o"]) == (
        "; did you mean 'o', which looks the same, but '\u043e' is CYRILLIC SMALL LETTER O?"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("|y|", "write abs(x)"),
        ("{{ y }}", "write what is between the signs alone"),
        ("${y}", "write what is between the signs alone"),
        ("@y@", "write what is between the signs alone"),
        ("y!", "write factorial(n)"),
        ("\u221ay", "write sqrt(...)"),
        ("x \u2212 y", "(MINUS SIGN, U+2212) stands here; write -"),
        ("x\u00b7y", "(MIDDLE DOT, U+00B7) stands here; write *"),
        ("y\u00b2", "write **2"),
        ("sqrt y", "brackets around its argument"),
        ("ln(y)", "write log for the natural logarithm"),
        ("y = 2", "without = and ;"),
        ("y if x > 0", "needs an else"),
        ("x y", "an operator missing"),
        ("(x", "( and ) do not match"),
        ("007*y", "does not begin with 0"),
    ],
)
def test_an_expression_out_of_habit_gets_the_right_one(text, words):
    with pytest.raises(ExpressionError) as caught:
        parse(text, ["x", "y"], 2)
    assert words in str(caught.value)


def test_plain_text_has_no_odd_sign():
    assert odd_sign("m_0 [GeV] \u03bb \u00e9 2*x") == ""


def test_text_in_utf16_without_its_mark_is_called_so(tmp_path):
    path = tmp_path / "scan.yaml"
    path.write_bytes(SCAN.encode("utf-16-le"))
    with pytest.raises(ScanFileError, match="UTF-16; save it as UTF-8"):
        read_scan_file(path)


@pytest.mark.parametrize("version", ["1.1", "1.3", "2.0", "x"])
def test_another_version_of_yaml_is_refused_in_its_line(tmp_path, version):
    assert "line 1: a scan file is YAML 1.2" in message(tmp_path, "setup:\n", f"%YAML {version}\n---\nsetup:\n")
