"""The section `likelihoods` of a scan file: what is read, and the messages for wrong files."""

import math

import pytest

from scanspec import Kind, ScanFileError, read_scan_file
from scanspec.terms import TermKind

HEAD = """\
variables:
  m0: [0, 10]
codes:
  toy:
    function: toy:f
    observables: {x: , y: , z: }
likelihoods:
"""


def read(folder, text, **files):
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content)
    (folder / "scan.yaml").write_text(HEAD + text)
    return read_scan_file(folder / "scan.yaml")


def term(folder, text, **files):
    (spec,) = read(folder, text, **files).terms
    assert spec.likelihood.kind is Kind.MINUSEXPUSER
    return spec.term


def fault(folder, text, **files):
    with pytest.raises(ScanFileError) as caught:
        read(folder, text, **files)
    return str(caught.value)


JOINT = "  both: {observables: [x, y], mean: [1, 2], "


def test_a_covariance_inline_and_in_a_file_are_the_same(tmp_path):
    inline = term(tmp_path, JOINT + "covariance: [[4, 1], [1, 9]]}")
    assert inline.kind is TermKind.JOINT_GAUSS and inline.observables == ("x", "y") and inline.mean == (1.0, 2.0)
    assert inline.root[0][0] == 2.0 and inline.root[1] == pytest.approx((0.5, math.sqrt(8.75)))
    assert term(tmp_path, JOINT + "covariance: c.txt}", c="# of the fit\n4, 1\n\n1; 9\n") == inline


def test_sigma_and_correlation_give_the_same_covariance_and_may_be_read_from_files(tmp_path):
    text = "  both: {observables: [x, y], mean: m.txt, sigma: s.txt, correlation: [[1, 0.5], [0.5, 1]]}"
    found = term(tmp_path, text, m="1 2\n", s="2\n3\n")
    same = term(tmp_path, JOINT + "covariance: [[4, 3], [3, 9]]}")
    assert found.mean == same.mean
    for row, other in zip(found.root, same.root, strict=True):
        assert row == pytest.approx(other)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("covariance: [[4, 1], [1.1, 9]]}", "not symmetric", 8),
        ("covariance: [[4, 7], [7, 9]]}", "not positive definite: row 2", 8),
        ("covariance: [[0, 0], [0, 9]]}", "not positive definite: row 1", 8),
        ("covariance: [[4, 6], [6, 9]]}", "not positive definite: row 2", 8),
        ("covariance: [[4, 1]]}", "1 row, but 2 observables", 8),
        ("covariance: [[4, 1], [1]]}", "row 2 has 1 number, but there are 2 observables; write the whole matrix", 8),
        ("sigma: [1, 1], correlation: 0.5}", "is 0.5, but must be a matrix, such as [[1, 0.5], [0.5, 1]]", 8),
        ("covariance: [[4, 1], [1, nan]]}", "'nan' in row 2 is not a finite number", 8),
        ("covariance: [[4, 1], [1, .inf]]}", "not a finite number", 8),
        ("covariance:\n    [[4, 1],\n     [2, 9]]}", "not symmetric", 10),
        ("sigma: [1, 1], correlation: [[1, 0.5], [0.5, 1.5]]}", "number 2 on the diagonal is 1.5, but must be 1", 8),
        ("sigma: [1, 1], correlation: [[1, 1.5], [1.5, 1]]}", "not positive definite", 8),
        ("sigma: [1, -1], correlation: [[1, 0], [0, 1]]}", "numbers above 0", 8),
        ("sigma: [1, 1]}", "either covariance, or sigma and correlation", 8),
        ("sigma: [1, 1], covariance: [[1, 0], [0, 1]]}", "either covariance, or sigma and correlation", 8),
    ],
)
def test_a_wrong_matrix_is_refused_with_its_line(tmp_path, text, words, line):
    message = fault(tmp_path, JOINT + text)
    assert words in message
    assert f"scan.yaml, line {line}:" in message


@pytest.mark.parametrize(
    ("content", "words", "line"),
    [
        ("# a head\n4 1\n1.1 9\n", "not symmetric", 3),
        ("4 7\n\n7 9\n", "not positive definite", 3),
        ("4 1\n1 nan\n", "'nan' is not a finite number", 2),
        ("4 1\n1 9 3\n", "row 2 has 3 numbers", 2),
        ("4 one\n1 9\n", "'one' is not a finite number", 1),
        ("x y\n[GeV] [GeV]\n4 1\n1 9\n", "only the first line may have words: put a # before this one", 2),
        ("x y\n4 1\n1 9\n\nx y\n1 0\n0 1\n", "or remove a second table", 5),
    ],
)
def test_a_fault_in_a_table_is_told_with_the_line_of_the_table(tmp_path, content, words, line):
    message = fault(tmp_path, JOINT + "covariance: c.txt}", c=content)
    assert words in message
    assert f"c.txt, line {line}:" in message
    assert "scan.yaml, line 8, names the file" in message


def test_missing_tables_and_tables_outside_the_folder_are_refused(tmp_path):
    assert "cannot be read (No such file" in fault(tmp_path, JOINT + "covariance: none.txt}")
    assert "there are no numbers in it" in fault(tmp_path, JOINT + "covariance: c.txt}", c="# nothing\n")
    for path in ("/etc/hosts", "../c.txt"):
        assert "beside the scan file" in fault(tmp_path, JOINT + f"covariance: {path}}}")


def test_errors_of_two_sizes_and_one_sided_limits_are_read(tmp_path):
    half = term(tmp_path, "  a: {observables: x, mean: 3, sigma: {plus: 0.2, minus: 0.1}}")
    assert (half.kind, half.mean, half.plus, half.minus) == (TermKind.HALF_GAUSS, (3.0,), 0.2, 0.1)
    barlow = term(tmp_path, "  a: {observables: x, mean: 3, sigma: {plus: 0.2, minus: 0.1}, scaling: BARLOW}")
    assert barlow.kind is TermKind.BARLOW
    upper = term(tmp_path, "  a: {observables: x, mean: 3, sigma: 0.2, scaling: GAUSS_UPPER}")
    assert (upper.kind, upper.plus) == (TermKind.GAUSS_UPPER, 0.2)
    assert "has no 'minus'" in fault(tmp_path, "  a: {observables: x, mean: 3, sigma: {plus: 0.2}}")
    assert "above 0" in fault(tmp_path, "  a: {observables: x, mean: 3, sigma: {plus: 0.2, minus: -0.1}}")
    assert "at the observable itself" in fault(tmp_path, "  a: {observables: x, mean: 3, sigma: 0.2}")
    assert "GAUSS_UPPER, GAUSS_LOWER" in fault(tmp_path, "  a: {observables: x, mean: 3, sigma: 1, scaling: UPPER}")


def test_a_limit_may_be_written_in_one_line(tmp_path):
    found = term(tmp_path, "  lz: {observables: [x, y], limit: lz.txt}", lz="mass [GeV], limit\n100,1e-46\n10,1e-44\n")
    assert (found.kind, found.knots, found.values) == (TermKind.LIMIT, ((10.0, 100.0),), (1e-44, 1e-46))
    assert found.plus == pytest.approx(1 / 1.6448536)
    other = term(tmp_path, "  lz: {observables: [x, y], limit: lz.txt, confidence: 0.9}")
    assert other.plus == pytest.approx(1 / 1.2815516)
    lower = term(tmp_path, "  lz: {observables: [x, y], limit: lz.txt, scaling: LIMIT_LOWER, sigma: 0.1}")
    assert (lower.kind, lower.plus) == (TermKind.LIMIT_LOWER, 0.1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("10 1\n20 0\n", "lz.txt, line 2: the bound is 0, but must be above 0"),
        ("10 1\n20 1 3\n", "lz.txt, line 2: there are 3 numbers in the line"),
        ("10 1\n20 1\n10 2\n", "lz.txt, line 3: the same values as in line 1 stand here again"),
        ("10 1\n", "at least two different values"),
        ('10,1\n20,""\n', "lz.txt, line 2: '' is not a finite number"),
    ],
)
def test_a_wrong_curve_is_refused(tmp_path, content, words):
    assert words in fault(tmp_path, "  lz: {observables: [x, y], limit: lz.txt}", lz=content)


def test_a_table_of_two_observables_may_list_its_grid_in_any_order(tmp_path):
    text = "  t: {observables: [x, y], table: t.txt}"
    found = term(tmp_path, text, t="x y nll\n0 0 1\n1 0 2\n0 5 3\n1 5 4\n")
    assert (found.knots, found.values) == (((0.0, 1.0), (0.0, 5.0)), (1.0, 3.0, 2.0, 4.0))
    assert "no line for 1, 5 (" in fault(tmp_path, text, t="0 0 1\n1 0 2\n0 5 3\n")
    assert "no line for 0, 5 and 1 more (" in fault(tmp_path, text, t="0 0 1\n1 0 2\n2 5 3\n2 0 1\n")
    assert "there should be 3: x, y, and -ln L" in fault(tmp_path, text, t="0 1\n1 2\n")
    assert "one or two" in fault(tmp_path, "  t: {observables: [x, y, z], table: t.txt}", t="0 0 0 1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  a: {observables: [m0, y], limit: t.txt}", "'m0' is a variable; name an observable that has its value"),
        (
            "  a: {observables: [xx], mean: 1, sigma: {plus: 1, minus: 1}}",
            "'xx' is not an observable; did you mean 'x'?",
        ),
        ("  a: {observables: [x, x], mean: [1, 1], covariance: [[1, 0], [0, 1]]}", "different observables"),
        ("  x: {observables: y, mean: 1, sigma: {plus: 1, minus: 1}}", "'x' is already the name of an observable"),
        ("  nll: {observables: y, mean: 1, sigma: {plus: 1, minus: 1}}", "a column of the results, NLL"),
        ("  a: {mean: 1, sigma: {plus: 1, minus: 1}}", "has no 'observables'"),
        ("  a: {observables: x, mean: 1, sgima: {plus: 1}}", "unknown key 'sgima'"),
        ("  a: {observables: x, table: t.txt, mean: 1}", "mean has no meaning for a table"),
        ("  a: {observables: [x, y]}", "a likelihood has mean, or limit, or table"),
        (
            "  a: {observables: [x, y], mean: [0, 0], sigma: [1, 1], scaling: GAUSS_UPPER}",
            "GAUSS_UPPER is for one observable without a covariance; write one likelihood for each observable",
        ),
        (
            "  a: {observables: [x, y], mean: [0, 0], sigma: {plus: 1, minus: 2}}",
            "sigma: {plus: ..., minus: ...} is for one observable without a covariance; write one likelihood for each",
        ),
        ("  a: {observables: x, mean: [1, 2], sigma: {plus: 1, minus: 1}}", "must be one finite number"),
        ("  a: {observables: [x, y], limit: [[1, 2], [3, 4]]}", "must be the name of a file beside the scan file"),
        ("  a: {observables: x, table: {1: 2}}", "must be the name of a file beside the scan file"),
    ],
)
def test_the_message_for_a_wrong_term_shows_what_to_write(tmp_path, text, words):
    (tmp_path / "t.txt").write_text("1 1\n2 2\n")
    message = fault(tmp_path, text)
    assert words in message
    assert "scan.yaml, line 8" in message


def test_the_message_for_such_a_likelihood_in_an_observable_names_the_section(tmp_path):
    for own in (
        "{mean: 1, sigma: {plus: 1, minus: 2}}",
        "{mean: 1, sigma: 1, scaling: GAUSS_UPPER}",
        "{limit: l.csv}",
        "{table: t.csv}",
        "{mean: 1, covariance: c.txt}",
    ):
        (tmp_path / "scan.yaml").write_text(HEAD.replace("x: ,", f"x: {own},").replace("likelihoods:\n", ""))
        with pytest.raises(ScanFileError, match="section likelihoods"):
            read_scan_file(tmp_path / "scan.yaml")


def test_a_term_may_use_derived_variables_and_observables_of_the_file_also_in_json(tmp_path):
    text = "  t: {observables: [w, d], limit: t.txt}\nobservables: {w: {function: x + y}}\nderived_variables: {d: 2*m0}"
    assert term(tmp_path, text, t="1 1\n2 2\n").observables == ("w", "d")
    (tmp_path / "scan.json").write_text(
        '{"variables": {"m": [0, 1]}, "codes": {"c": {"function": "t:f", "observables": {"x": {}, "y": {}}}},'
        '"likelihoods": {"b": {"observables": ["x", "y"], "mean": [0, "1e-3"], "covariance": [[1, "2e-1"], [0.2, 1]]}}}'
    )
    assert read_scan_file(tmp_path / "scan.json").terms[0].term.mean == (0.0, 1e-3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  m0: [0, 10]\n", "  m0: [0, 10]\nderived_variables: {d: 2*both}\n"),
        ("    observables: {x: , y: , z: }", "    conditions: both < 3\n    observables: {x: , y: , z: }"),
        ("observables: {x: , y: , z: }\n", "observables: {x: , y: , z: }\nobservables: {e: {function: both + x}}\n"),
    ],
)
def test_an_expression_that_uses_a_likelihood_is_refused(tmp_path, old, new):
    """Likelihoods are computed last, so no code can be moved behind them."""
    text = HEAD + JOINT + "covariance: [[4, 1], [1, 9]]}\n"
    assert old in text
    (tmp_path / "scan.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ScanFileError) as caught:
        read_scan_file(tmp_path / "scan.yaml")
    assert "'both', which is a likelihood, and no expression can use one" in str(caught.value)
    assert "move" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 1.#INF\n3 4\n", "t.txt, line 1: 'nan' is not a finite number"),
        ("5,1.#INF\n3,4\n", "t.txt, line 1: 'nan' is not a finite number"),
        ("5;-1.#J;2\n3;4;2\n", "t.txt, line 1: 'nan' is not a finite number"),
        ('"1.#QNAN","5"\n3,4\n', "t.txt, line 1: 'nan' is not a finite number"),
        ("x,y,z\n1,,2\n3,4,5\n", "line 2: '' is not a finite number; a number is missing between two separators"),
        ("1;2\n3;4,5\n", "t.txt, line 2: '4,5' is not a finite number; a number has a point, not a comma"),
        ("1,5;2,5\n3;4\n5;6\n", "t.txt, line 1: '1,5' is not a finite number"),
        ("1_0 2_0\n3 4\n5 6\n", "t.txt, line 1: '1_0' is not a finite number"),
        ("**** ****\n3 4\n5 6\n", "t.txt, line 1: '****' is not a finite number"),
        ("1\0 2\0\n3 4\n", "t.txt has zero bytes, as files in UTF-16 have"),
    ],
)
def test_no_number_of_a_table_is_lost(tmp_path, content, words):
    """Each of these rows was once read as other numbers, or left out as a line of names."""
    assert words in fault(tmp_path, "  t: {observables: [x], table: t.txt}", t=content)


def test_the_text_of_a_table_may_have_any_encoding(tmp_path):
    text = "Grenzwert für µ\n1,2,\n3,4,  # é\n"
    (tmp_path / "t.txt").write_bytes(text.encode("latin-1"))
    assert term(tmp_path, "  t: {observables: [x], table: t.txt}").values == (2.0, 4.0)
