"""The command check runs the codes once, and finds what is wrong with them or with the scan file."""

import shlex

import pytest


def test_check_shows_what_the_codes_give(run, scan_file):
    scan = scan_file(
        "setup: {csv: true, Cores: 4}\nvariables:\n  x: {range: [-4, 6], unit: GeV}\n"
        "  s: {range: [1, 100], prior: log}\n"
        "  n: {prior: {type: normal, mean: 7, sigma: 1}}\n"
        "codes:\n  toy:\n    function: codes:square\n    observables: {y: {mean: 3, sigma: 2, unit: GeV2}}\n"
        "observables: {'odd[name]': {function: s + n}, "
        "c: {function: y, scaling: CFUNCTION, lower_bound: 5, upper_bound: 7}}\n"
    )
    done = run("check", scan)
    assert done.returncode == 0 and done.stderr == ""
    rows = [
        [cell.strip() for cell in line.strip("│ \n").split("│")] for line in done.stdout.splitlines() if "│" in line
    ]
    assert rows == [
        ["x", "1", "GeV"],
        ["s", "10"],
        ["n", "7"],
        ["toy", "y", "1", "GeV2", "GAUSS 3 +- 2", "0.499824"],
        ["(file)", "odd[name]", "17"],
        ["(file)", "c", "1", "", "CFUNCTION [5, 7]", "0.698626"],
        ["toy", rows[-1][1]],
    ]
    assert 0 <= float(rows[-1][1]) < 10
    assert done.stdout.count("without meaning here: setup: csv, setup: Cores") == 1
    assert "status OK, NLL 1.19845" in done.stdout and done.stdout.rstrip().endswith("the file and its codes work")


def test_check_shows_which_likelihoods_are_functions_of_an_observable(run, scan_file):
    scan = scan_file(
        "variables: {x: [0, 1]}\ncodes:\n  toy: {function: codes:square, observables: {y: }}\n"
        "observables: {z: {function: 2 * y, mean: 1, sigma: 2, valid: [0, 9]}}\n"
        "likelihoods:\n"
        "  both: {observables: [y, z], mean: [0, 1], covariance: [[1, 0.5], [0.5, 1]]}\n"
        "  high: {observables: y, mean: 0, sigma: 1, scaling: GAUSS_UPPER}\n"
    )
    done = run("check", scan)
    cells = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "│" in line]
    shown = {row[2]: row[5] for row in cells if len(row) == 8}
    assert shown["y"] == "in both, high" and shown["z"] == "GAUSS 1 +- 2, in both, valid 0 to 9"
    assert shown["high"] == "GAUSS_UPPER of y: 0 +- 1"


def test_check_shows_seconds_and_advises_an_order(run, scan_file):
    scan = scan_file(
        "variables: {mode: [0, 1]}\ncodes:\n  dear:\n    function: order_codes:dear\n"
        "    observables: {d: {mean: 1, sigma: 1}}\n"
        "  cheap:\n    function: order_codes:cheap\n    observables: {c: {valid: [0, 9]}}\n",
        order_codes__py="import time\ndef dear(point):\n    time.sleep(0.05)\n    return {'d': 1}\n"
        "def cheap(point):\n    return {'c': 1}\n",
    )
    done = run("check", scan)
    assert done.returncode == 0
    cells = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "│" in line]
    seconds = {row[1]: row[2:4] for row in cells if len(row) == 5}
    assert 0.05 <= float(seconds["dear"][0]) < 10
    assert (seconds["dear"][1], seconds["cheap"][1]) == ("", "yes")
    assert "let it run first: cheap, dear" in done.stdout


def test_check_says_that_the_middle_is_unphysical(run, python_scan):
    done = run("check", python_scan(observables="y: {mean: 1, sigma: 2, valid: [1, 2]}"))
    assert done.returncode == 0
    assert (
        "status INVALID (code toy): y = 0 is outside [1, 2]" in done.stdout
        and "lodescan-evaluator point" in done.stdout
    )


CLOSED = """variables: {x: [0, 1]}
codes:
  first:
    function: two:first
    observables: {a: {mean: 1, sigma: 1, valid: [0, 1]}}
  second:
    function: two:second
    observables:
      b: {mean: 1, sigma: 1}
      mhx: {mean: 1, sigma: 1}
"""


@pytest.mark.parametrize(
    "a", [pytest.param("9", marks=pytest.mark.slow), "9 if point['x'] == 0.5 else 0.5"]
)  # the window excludes every point, or only the middle
@pytest.mark.parametrize(("given", "code"), [("mh", 2), ("mhx", 0)])
def test_check_also_runs_the_codes_behind_a_window(run, scan_file, a, given, code):
    functions = f"def first(point):\n    return {{'a': {a}}}\ndef second(point):\n    return {{'b': 1, '{given}': 1}}\n"
    scan = scan_file(CLOSED, two__py=functions)
    done = run("check", scan)
    assert done.returncode == code
    assert "status INVALID (code first): a = 9 is outside [0, 1]" in done.stdout
    if code:
        said, next_step = done.stderr.splitlines()
        assert next_step.startswith("next: ")
        assert said == (
            f"lodescan-evaluator: {scan}, line 10: code second: the observable mhx is declared, "
            "but the code did not give it; did you mean 'mh'?"
        )
    else:
        words = "the codes work, but all 101 points" if a == "9" else "work at another point"
        assert done.stderr == "" and words in done.stdout


@pytest.mark.parametrize(
    "setup", ["init_csv: no.csv", "type: CMAES, start_csv: no.csv", "type: CMAES_ND, seeds_csv: no.csv"]
)
def test_check_refuses_a_table_that_is_not_there(run, python_scan, setup):
    key = setup.partition("_csv")[0].rpartition(" ")[2] + "_csv"
    done = run("check", python_scan(more=f"setup: {{{setup}}}\n"))
    assert done.returncode == 2 and f"{key}: there is no file " in done.stderr


def test_check_says_which_code_never_ran(run, scan_file):
    """An unphysical point may break a later code, which is not a fault of the file."""
    functions = "from evaluator import InvalidPoint\ndef first(point):\n    raise InvalidPoint('nothing here')\n"
    scan = scan_file(CLOSED, two__py=functions + "def second(point):\n    return {}\n")
    done = run("check", scan)
    assert done.returncode == 0 and done.stderr == ""
    assert "all 101 points" in done.stdout and "are unphysical, so second did not run; try a point" in done.stdout


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("[MASS, 26]", "the output has no entry MASS 26; entries of MASS: 25"),
        ("[MAS, 25]", "the output has no block MAS; did you mean 'MASS'?"),
        pytest.param("[WIDTH, 35]", "the output has no DECAY of 35; it has those of: 25", marks=pytest.mark.slow),
        pytest.param(
            "[SPINFO, 1]", "the entry SPINFO 1 of the output is 'SPheno', not a number", marks=pytest.mark.slow
        ),
    ],
)
def test_check_names_an_entry_that_is_missing_in_the_spectrum(run, program_scan, address, words):
    scan = program_scan("spheno.sh", f"mh: {{slha: {address}, mean: 125, sigma: 2}}")
    scan.write_text(scan.read_text().replace("[0, 10]", "[0.5, 1.5]"))
    done = run("check", scan)
    assert done.returncode == 2
    told, next_step = done.stderr.splitlines()
    assert told == f"lodescan-evaluator: {scan}, line 7: code code: {words}" and next_step.startswith("next: ")


@pytest.mark.slow
def test_check_finds_another_point_where_the_middle_is_unphysical(run, scan_file):
    """The window excludes the middle. One of the random points works, and the better order is advised."""
    scan = scan_file(
        "variables: {x: [0, 1], n: {range: [1, 5], type: integer}}\ncodes:\n  dear:\n    function: order_codes:dear\n"
        "    observables: {d: {mean: 1, sigma: 1}}\n"
        "  cheap:\n    function: order_codes:cheap\n    observables: {c: {valid: [0.2, 1]}}\n",
        order_codes__py="import time\ndef dear(point):\n    time.sleep(0.05)\n    return {'d': 1}\n"
        "def cheap(point):\n    return {'c': abs(point['x'] - 0.5)}\n",
    )
    done = run("check", scan)
    assert done.returncode == 0, done.stderr
    assert "status INVALID (code cheap): c = 0 is outside" in done.stdout
    assert "at 7 points" in done.stdout and "let it run first: cheap, dear" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "work at another point" in line]
    command = shlex.split(line.split("lodescan-evaluator ")[1])
    assert command[:2] == ["point", str(scan)]
    assert "status OK" in run(*command).stdout


@pytest.mark.parametrize(
    ("function", "observables", "words"),
    [
        (
            "square",
            "y: {mean: 1, sigma: 2}, z: ",
            "line 6: code toy: the observable z is declared, but the code did not give it; known are: y",
        ),
        ("nothing", "y: {mean: 1, sigma: 2}", "line 4: "),
        ("misbehave", "y: {mean: 1, sigma: 2}", "code toy: the point has no 'mode'; known are: x"),
    ],
)
def test_check_finds_codes_that_do_not_work(run, python_scan, function, observables, words):
    done = run("check", python_scan(function, observables=observables))
    assert done.returncode == 2
    assert words in done.stderr.strip().splitlines()[-1 - done.stderr.count("\nnext: ")]
