"""The commands point and healthy, and what all commands share; bad input gives one clear line and exit code 2, and
nothing is written.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.evaluator.harness import DATA, TAG, alive
from tests.evaluator.serving import wait_until


@pytest.mark.parametrize("command", ["check", "point"])
def test_a_full_disk_behind_the_output_is_named(run, python_scan, command):
    with open("/dev/full", "w") as full:
        done = run(command, python_scan(), stdout=full)
    assert done.returncode == 74
    assert done.stderr == (
        "lodescan-evaluator: its own output: No space left on device\n"
        "next: make room on the disk, then give the same command again\n"
    )


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
