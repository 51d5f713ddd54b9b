"""Messages of check and point about usual mistakes: results that are not numbers, other units, values outside, wrong
names.
"""

import os
import subprocess
import sys
import time

import pytest

from evaluator.chain import Chain
from evaluator.commands.check import check
from evaluator.commands.point import point
from evaluator.errors import ConfigurationError
from evaluator.expressions import Expression
from scanspec import read_scan_file

FUNCTIONS = """\
nan, inf = float("nan"), float("inf")
def none(point): return None
def text(point): return {"y": "heavy"}
def no_number(point): return {"y": nan}
def infinite(point): return {"y": inf}
def sometimes(point): return {"y": nan if point["x"] == 1.5 else 1.0}
def in_mev(point): return {"y": 125000.0}
def fine(point): return {"y": 125.0}
def names(point): return {"\\u00b52": point["\\u00b5"] + point["\\u03bc"]}
"""


@pytest.fixture
def scan(tmp_path):
    def write(function, variables="x: [0, 3]", observable="y: {mean: 125, sigma: 2}", more=""):
        (tmp_path / "trial_functions.py").write_text(FUNCTIONS)
        path = tmp_path / "scan.yaml"
        path.write_text(
            f"variables:\n  {variables}\ncodes:\n  c:\n    function: trial_functions:{function}\n"
            f"    observables:\n      {observable}\n{more}"
        )
        return read_scan_file(path)

    yield write
    sys.modules.pop("trial_functions", None)


@pytest.mark.parametrize(
    ("function", "code", "out", "err"),
    [
        ("no_number", 2, "warning: y is not a number (NaN)", "line 7: the observable y is not a number (NaN) at each"),
        ("infinite", 2, "warning: y is infinite (inf)", "line 7: the observable y is infinite (inf) at each of 7"),
        ("sometimes", 0, "warning: y is not a number (NaN)", ""),
        ("in_mev", 0, "warning: y = 125000 is so far from GAUSS 125 +- 2 that its loss is near the largest", ""),
        ("fine", 0, "the file and its codes work", ""),
    ],
)
def test_check_warns_of_a_value_that_is_not_a_number_and_of_a_loss_at_its_cap(scan, capfd, function, code, out, err):
    assert check(scan(function)) == code
    said = capfd.readouterr()
    assert out in said.out and err in said.err
    assert ("the file and its codes work" in said.out) == (code == 0)
    assert len(said.err.splitlines()) <= 2 * (code == 2)


@pytest.mark.parametrize("function", ["none", "text"])
def test_a_fault_is_told_once_and_without_empty_tables(scan, capfd, function):
    assert check(scan(function)) == 2
    said = capfd.readouterr()
    told, next_step = said.err.splitlines()
    assert "code c: " in told and next_step.startswith("next: ")
    assert "status" not in said.out and "loss" not in said.out and "seconds" not in said.out


@pytest.mark.parametrize(
    ("variables", "value", "words"),
    [
        ("x: [0, 3]", "x=6", "x = 6 is outside its range, 0 to 3"),
        ("x: [0, 3.1415926535]", "x=3.1415926536", "x = 3.1415926536 is outside its range, 0 to 3.1415926535"),
        ("x: [0, 3]\n  z: 3", "z=4", "z = 4, but the file fixes it at 3"),
        ("x: {range: [0, 3], type: integer}", "x=1.5", "x = 1.5 is not a whole number"),
        ("x: {values: [1, 2]}", "x=1.5", "x = 1.5 is none of its 2 values"),
        ("x: {range: [1, 3], prior: symlinear}", "x=-0.5", "x = -0.5 is closer to 0 than its smallest magnitude, 1"),
        ("x: {range: [1, 3], prior: symlinear}", "x=-2", None),
        ("x: [0, 3]", "x=3", None),
        ("x: [0, 3]", "x=1D+00", None),
    ],
)
def test_point_says_which_values_are_outside_their_ranges(scan, capfd, variables, value, words):
    assert point(scan("fine", variables), [value], None) == 0
    out = capfd.readouterr().out
    assert f"note: {words}; a scan never has this value" in out if words else "note:" not in out


def test_a_fault_in_an_observable_of_the_file_names_it(scan, capfd):
    assert check(scan("fine", more="observables: {z: {slha: [MASS, 25], mean: 1, sigma: 1}}\n")) == 2
    assert "line 8: the file's own observables: " in capfd.readouterr().err


def test_two_spellings_of_a_letter_in_unicode_are_one_name(scan, capfd):
    made = scan("names", "\u00b5: [0, 3]", "\u03bc2: {mean: 3, sigma: 2}", "derived_variables: {d: 2*\u00b5}\n")
    assert [variable.name for variable in made.variables] == ["\u03bc"]
    assert point(made, ["\u00b5=2"], None) == 0
    out = capfd.readouterr().out
    assert "status OK" in out and "warning" not in out


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("lambda", "2*lambda", "lambda is a word of Python, and no name in an expression; rename it, or use"),
        ("x^2", "2*x^2", "the name 'x^2' cannot stand in an expression: rename it, or use VARIABLE[i]"),
        ("x", "x^2", "uses ^; write ** for a power"),
        ("x", "2x", "is a * missing"),
        ("x", "np.sqrt(x)", "calls np.sqrt; write sqrt(...) alone"),
        ("x", "late + 1", "uses 'late', which is computed only later"),
        ("x", "xx", "'xx' is not a variable, derived variable or earlier observable; did you mean 'x'?"),
        ("x", "''", "it is empty"),
    ],
)
def test_the_message_says_why_an_expression_is_refused(scan, name, text, words):
    with pytest.raises(ValueError, match="line 8: ") as error:
        scan("fine", f"{name}: [0, 3]", more=f"derived_variables: {{d: {text}, late: 3}}\n")
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["lambda", "x^2"])
def test_a_name_that_cannot_be_used_in_expressions_is_allowed(scan, name):
    assert Chain(scan("fine", f"{name}: [0, 3]", more="derived_variables: {d: '2*VARIABLE[0]'}\n"))


def test_a_template_that_never_ends_is_refused(tmp_path):
    os.mkfifo(tmp_path / "in.slha")
    path = tmp_path / "scan.yaml"
    path.write_text(
        "variables: {x: [0, 1]}\ncodes:\n  c:\n    command: cat {input}\n    input_file: in.slha\n"
        "    output_file: ''\n    observables: {y: {slha: [MASS, 25], mean: 1, sigma: 1}}\n"
    )
    with pytest.raises(ConfigurationError, match=r"line 5: .*(no regular file|cannot be read)"):
        Chain(read_scan_file(path))


def test_in_the_environment_of_the_other_side_the_command_says_where_it_belongs(tmp_path):
    path = tmp_path / "scan.yaml"
    path.write_text("variables: {x: [0, 1]}\ncodes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}\n")
    blocked = (
        "import sys; sys.modules['simpleeval'] = None; from evaluator.__main__ import main; "
        f"sys.exit(main(['check', {str(path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("lodescan-evaluator: simpleeval is missing: run it in the evaluator's environment")
    assert len(done.stderr.splitlines()) == 1


def test_the_faults_of_all_codes_are_told_together(tmp_path):
    path = tmp_path / "scan.yaml"
    path.write_text(
        "variables: {x: [0, 1]}\ncodes:\n  a:\n    command: ./no-program-a\n    input_file: in.slha\n"
        "  b:\n    command: ./no-program-b\n  c:\n    function: 'm:f'\n    observables: {y: {mean: 1, sigma: 1}}\n"
    )
    with pytest.raises(ConfigurationError) as error:
        Chain(read_scan_file(path))
    first, second = str(error.value).splitlines()
    assert "line 4: the program './no-program-a'" in first and "line 7: the program './no-program-b'" in second


@pytest.mark.parametrize(
    ("text", "value"),
    [("round(12345, -10**9)", 0.0), ("round(-10**9, 10**9)", -1e9), ("round(2.5)", 2), ("round(1.234, 2)", 1.23)],
)
def test_rounding_of_huge_numbers_takes_no_time(text, value):
    start = time.process_time()
    found = Expression(text, [], "here", 0)({}, [])
    assert found == value and type(found) is type(value)
    assert time.process_time() - start < 1


def test_a_file_without_observables_may_keep_spectra(tmp_path, capfd):
    (tmp_path / "in.slha").write_text("BLOCK MASS\n 25 x\n")
    path = tmp_path / "scan.yaml"
    path.write_text(
        "setup: {type: Random, points: 3}\nvariables: {x: [0, 1]}\n"
        "codes: {c: {command: 'cp {input} {output}', input_file: in.slha}}\n"
    )
    assert check(read_scan_file(path)) == 0
    assert "status OK, NLL 0" in capfd.readouterr().out
    path.write_text(path.read_text().replace("Random", "LODE"))
    with pytest.raises(ValueError, match="no observable enters the likelihood"):
        read_scan_file(path)
