"""The commands check, point and healthy; bad input gives one clear line and exit code 2, and nothing is written."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.evaluator.harness import DATA, TAG, alive
from tests.evaluator.serving import wait_until


@pytest.fixture
def run(tmp_path):
    """Runs a command with its own folder for temporary files, which must be empty afterwards."""
    temporary = tmp_path / "tmp"

    def run(*arguments, timeout=60, stdout=subprocess.PIPE):
        temporary.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "evaluator", *map(str, arguments)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        assert wait_until(lambda: not list(temporary.iterdir()))
        return done

    return run


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
        ["toy", "y", "1", "GeV2", "GAUSS 3, 2", "0.499824"],
        ["(file)", "odd[name]", "17"],
        ["(file)", "c", "1", "", "CFUNCTION [5, 7]", "0.698626"],
        ["toy", rows[-1][1]],
    ]
    assert 0 <= float(rows[-1][1]) < 10
    assert done.stdout.count("without meaning here: setup: csv, setup: Cores") == 1
    assert "status OK, NLL 1.19845" in done.stdout and done.stdout.rstrip().endswith("the file and its codes work")


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


@pytest.mark.parametrize("command", ["check", "point"])
def test_a_full_disk_behind_the_output_is_named(run, python_scan, command):
    with open("/dev/full", "w") as full:
        done = run(command, python_scan(), stdout=full)
    assert done.returncode == 74
    assert done.stderr == (
        "lodescan-evaluator: its own output: No space left on device\n"
        "next: make room on the disk, then give the same command again\n"
    )


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


def test_point_shows_what_the_codes_give(run, program_scan, tmp_path):
    scan = program_scan("spheno.sh")
    done = run("point", scan, "mode=1")
    assert done.returncode == 0 and done.stderr == ""
    for words in (
        "status OK, NLL 0",
        "code.in.slha",
        " 1 1.00000000E+00",
        "DECAY 25 4.1E-03",
        "Warning from a subroutine",
    ):
        assert words in done.stdout
    assert "│ mode     │ 1     │" in done.stdout


def test_point_keeps_its_files(run, program_scan, tmp_path):
    scan = program_scan("spheno.sh")
    keep = tmp_path / "kept" / "here"
    done = run("point", scan, "mode=2", "--keep", keep)
    assert done.returncode == 0 and "status INVALID (code code): SPINFO 4" in done.stdout
    assert {path.name for path in keep.iterdir()} == {
        "code.in.slha",
        "output.slha",
        "Messages.out",
        "code.stdout",
        "code.stderr",
    }
    again = run("point", scan, "mode=1", "--keep", keep)
    assert again.returncode == 2 and "not empty" in again.stderr
    assert "tachyon" in (keep / "output.slha").read_text()


def test_point_shows_why_a_point_failed(run, program_scan):
    done = run("point", program_scan("spheno.sh"), "mode=3")
    assert done.returncode == 1 and "status FAILED (code code): there is no output" in done.stdout


def test_a_point_that_is_killed_leaves_nothing(program_scan, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), TAG: str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluator", "point", str(program_scan("spheno.sh", settings="timeout: 600")), "mode=4"],
        env=environment,
    )
    assert wait_until(lambda: len(alive(tmp_path)) >= 7)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert wait_until(lambda: not alive(tmp_path) and not list(temporary.iterdir()))


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("mod=3", "'mod=3': must be NAME=VALUE with a variable's name; did you mean 'mode'?"),
        ("mode", "'mode': must be NAME=VALUE, but has no value; write one: mode=VALUE"),
        ("mode=", "'' is not a finite number"),
        ("mode=many", "'many' is not a finite number"),
        ("mode=nan", "'nan' is not a finite number"),
        ("mode=inf", "'inf' is not a finite number"),
        ("mode=1 mode=2", "'mode=2': mode is given twice"),
    ],
)
def test_bad_values_of_a_point_are_refused(here, program_scan, assignment, words):
    done = here("point", program_scan("spheno.sh"), *assignment.split())
    assert done.returncode == 2 and done.stdout == "" and words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("timeout: 20", "timeuot: 20", 6, "unknown key 'timeuot' in codes: code; did you mean 'timeout'?"),
        ("mean: 125", "mean: heavy", 7, "codes: code: observables: mh: mean is 'heavy', but must be a number"),
        ("[0, 10]", "[0, .nan]", 1, "list of 2 numbers"),
        ("sigma: 2", "sigma: 0", 7, "sigma is 0, but must be a finite number above 0"),
        ("mean: 125", "scaling: GUASS, mean: 125", 7, "unknown scaling 'GUASS'; did you mean 'GAUSS'?"),
        ("variables: {mode", "variables: {mode: [1, 2], mode", 1, "duplicate key"),
        ("./spheno.sh", "./sphena.sh", 4, "the program './sphena.sh' does not exist"),
        ("in.slha", "on.slha", 5, "on.slha cannot be read"),
        ("timeout: 20", "timeout: -1", 6, "timeout is -1, but must be more than 0 and at most"),
        ("timeout: 20", "success: {exit_codes: zero}", 6, "exit_codes"),
        ("timeout: 20", "invalid_when: {stderr: '('}", 6, "not a regular expression"),
        ("timeout: 20", "conditions: mj > 1", 6, "'mj > 1' uses 'mj'"),
    ],
)
def test_bad_scan_files_are_refused(run, here, program_scan, tmp_path, old, new, line, words):
    scan = program_scan("spheno.sh")
    text = scan.read_text()
    assert old in text
    scan.write_text(text.replace(old, new))
    before = sorted(tmp_path.rglob("*"))
    commands = [(run, "check"), (run, "point"), (run, "serve")] if "sigma" in old else [(here, "check")]
    for how, command in commands:
        done = how(command, scan)
        assert done.returncode == 2 and done.stdout == ""
        said, next_step = done.stderr.splitlines()
        assert next_step.startswith("next: ")
        assert said.startswith(f"lodescan-evaluator: {scan}, line {line}: ")
        assert words in said
        assert sorted(tmp_path.rglob("*")) == before


def test_a_misspelt_name_in_a_template_is_refused(here, program_scan, tmp_path):
    scan = program_scan("spheno.sh")
    (tmp_path / "in.slha").write_text("BLOCK A\n 1 moed # a typing error\n")
    done = here("check", scan)
    assert done.returncode == 2
    assert (
        f"{tmp_path}/in.slha, line 2: 'moed' is not a variable" in done.stderr and "did you mean 'mode'?" in done.stderr
    )


def test_missing_files_are_named(here, tmp_path):
    done = here("check", tmp_path / "none.yaml")
    assert done.returncode == 2 and done.stderr.splitlines()[:-1] == [
        f"lodescan-evaluator: {tmp_path}/none.yaml: cannot be read (No such file or directory)"
    ]


def test_environment_variables_reach_programs_and_functions(run, scan_file):
    scan = scan_file(
        "setup: {environment_variables: {PHYSICS_DATA: somewhere, OMP_NUM_THREADS: 1}}\n"
        "variables: {x: [0, 1]}\ncodes:\n"
        "  one:\n    command: sh -c 'env > {output}.env; echo Block A $PHYSICS_DATA > {output}'\n"
        "    input_file: in.slha\n"
        "  two:\n    function: sees:f\n    observables: {y: {mean: 1, sigma: 1}}\n",
        in__slha="BLOCK A\n 1 x\n",
        sees__py="import os\nassert os.environ['PHYSICS_DATA'] == 'somewhere'\ndef f(point):\n"
        "    assert 'OMP_NUM_THREADS=1' in (point.folder / 'output.slha.env').read_text()\n    return {'y': 1}\n",
    )
    done = run("check", scan)
    assert done.returncode == 0, done.stderr


def test_healthy_tells_whether_an_evaluator_serves(run, evaluator, python_scan):
    server = evaluator(python_scan())
    assert run("healthy", server.address).returncode == 0
    server.terminate()
    start = time.monotonic()
    done = run("healthy", server.address)
    assert done.returncode == 1 and "does not answer" in done.stderr and len(done.stderr.splitlines()) == 1
    assert time.monotonic() - start < 15


def test_help_names_every_command(run):
    said = run("--help").stdout
    assert all(word in said for word in ("serve", "check", "point", "healthy"))
    assert run().returncode == 2


def test_a_code_that_crashes_the_process_gives_a_message(run, python_scan):
    scan = python_scan("misbehave", "x: [-5, 5], mode: [0, 18]")
    done = run("check", scan)  # mode 9: a segmentation fault
    assert done.returncode == 1 and "Segmentation fault" in done.stderr and "codes.py" in done.stderr


def test_the_installed_package_has_all_data_files():
    assert shutil.which(str(DATA / "programs" / "spheno.sh"))


NOISE = """
import os, random

import numpy as np

rng = np.random.default_rng(3)


def noise(point):
    if os.environ.get("CHANGED"):
        return {"y": float("nan")}
    os.environ["CHANGED"] = "1"  # put back before the next point
    return {"y": random.random() + np.random.normal() + rng.normal()}
"""


@pytest.mark.slow
def test_point_uses_the_same_random_numbers_as_a_scan(run, scan_file, evaluator):
    text = "variables: {x: [0, 4]}\ncodes: {toy: {function: loud:noise, observables: {y: {mean: 0, sigma: 1}}}}\n"
    scan = scan_file(text, loud__py=NOISE)
    results = evaluator(scan).evaluate([[1.0], [2.0], [2.0]])
    for number, x in ((1, 2), (2, 2), (0, 1)):
        said = run("point", scan, f"x={x}", "--id", number).stdout
        assert f" {results[number].observables[0]:.9g} " in said
    check = run("check", scan)  # seven points, each of which finds the environment as it was
    assert check.returncode == 0 and "nan" not in check.stdout.lower()


def test_all_faults_of_a_template_are_told_at_once(here, program_scan, tmp_path):
    scan = program_scan("spheno.sh", more="blocks: {EXTRA: {1: nowhere, 2: mode}}\n")
    (tmp_path / "in.slha").write_text("BLOCK MODSEL\n 1 mod\n 2 mode\n 3 some text\n 4 tau\nBLOCK NEW Q= scale\n")
    done = here("check", scan)
    assert done.returncode == 2
    faults = done.stderr.partition("next: ")[0].strip().splitlines()
    assert [fault.partition("in.slha, ")[2].partition(":")[0] for fault in faults[:4]] == [
        "line 2",
        "line 4",
        "line 5",
        "line 6",
    ]
    assert len(faults) == 5 and "scan.yaml, line 8: 'nowhere' is not a variable" in faults[4]
