"""Failures of physics codes, each imitated by a small program that really runs."""

import contextlib
import math
import resource
import shutil
import time
from pathlib import Path

import pytest

from evaluator.chain import Status
from evaluator.errors import ConfigurationError
from tests.evaluator.harness import PROGRAMS, alive
from tests.evaluator.serving import wait_until

FLAGS = "mh: {slha: [MASS, 25], mean: 125, sigma: 2}, unitary: {slha: [THDM, 2]"
TACHYON = "invalid_when: {stderr: 'math domain error'}"
SUPERISO = "mh: {slha: [FOBS, 5, 1], column: 3, mean: 3e-4, sigma: 1e-5}"


@pytest.mark.parametrize(
    ("program", "mode", "settings", "status", "message"),
    [
        ("spheno.sh", 1, "", Status.OK, ""),
        ("spheno.sh", 2, "", Status.INVALID, "SPINFO 4: tachyon: negative squared mass of stau"),
        ("spheno.sh", 2, "invalid_when: {spinfo: false}", Status.FAILED, "no block MASS"),
        ("spheno.sh", 3, "", Status.FAILED, "there is no output output.slha (exit code 0)"),
        ("spheno.sh", 4, "timeout: 0.5", Status.TIMED_OUT, "spheno.sh ran past its deadline of 0.5 s"),
        ("spheno.sh", 5, "", Status.FAILED, "ended by signal 11"),
        ("spheno.sh", 6, "", Status.KILLED, "killed from outside"),
        ("spheno.sh", 7, "", Status.KILLED, "killed from outside"),
        ("spheno.sh", 8, "", Status.FAILED, "MASS 25 of the output is 'none', not a number"),
        ("softsusy.sh < {input} > {output}", 1, "", Status.OK, ""),
        ("softsusy.sh < {input} > {output}", 2, "", Status.INVALID, "SPINFO 4: [ stau tachyon ]"),
        ("softsusy.sh < {input} > {output}", 3, "", Status.OK, ""),
        ("softsusy.sh < {input} > {output}", 4, "", Status.FAILED, "exit code 255"),
        ("softsusy.sh < {input} > {output}", 4, "invalid_when: {exit_codes: [255]}", Status.INVALID, "exit code 255"),
        ("simsusy.py", 1, TACHYON, Status.OK, ""),
        ("simsusy.py", 2, TACHYON, Status.INVALID, "ValueError: math domain error"),
        ("simsusy.py", 2, "", Status.FAILED, "exit code 1: ValueError: math domain error"),
        ("simsusy.py", 3, TACHYON, Status.FAILED, "('MINPAR', 4) is not specified"),
        ("thdmc.sh", 1, "", Status.OK, ""),
        ("thdmc.sh", 2, "", Status.OK, ""),
        ("thdmc.sh", 1, "success: {blocks: [mass, NMIX]}", Status.FAILED, "the output has no block NMIX"),
        ("flood.sh", 1, "", Status.FAILED, "wrote more than 256 MiB"),
        ("flood.sh", 2, "", Status.FAILED, "wrote more than 256 MiB"),
        ("flood.sh", 3, "", Status.FAILED, "wrote more than 256 MiB"),
    ],
)
def test_each_kind_of_failure_has_its_status(
    program_scan, chain, tmp_path, limits, program, mode, settings, status, message
):
    name, _, words = program.partition(" ")
    settings = settings if "timeout" in settings else f"timeout: 20\n    {settings}"
    made = chain(program_scan(name, settings=settings, words=words))
    start = time.monotonic()
    found = made.evaluate([float(mode)], tmp_path / "scratch")
    took = time.monotonic() - start
    assert (found.status, found.failed_code) == (status, "" if status is Status.OK else "code")
    assert message in found.message
    if status is Status.OK:
        assert math.isfinite(found.observables[0]) and not found.missing
    else:
        assert found.missing == [0] and math.isnan(found.observables[0])
    assert len(found.seconds) == 1 and 0 < found.seconds[0] <= took


@pytest.fixture
def limits():
    """The limits of a worker, set in the process of the test and restored afterwards."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_warning_is_kept(program_scan, chain, tmp_path):
    scan = program_scan("softsusy.sh", words="< {input} > {output}")
    assert chain(scan).evaluate([3.0], tmp_path / "s").warnings == ["SPINFO 3: [ MuSqWrongsign ]"]


@pytest.mark.parametrize("value", ["mode/(mode-1)", "sqrt(mode-2)", "log(mode-1)*0"])
def test_a_nan_never_reaches_a_program(program_scan, chain, tmp_path, value):
    # SOFTSUSY accepts the parameter nan, and gives exit code 0 and a finite spectrum
    scan = program_scan("softsusy.sh", words="< {input} > {output}")
    (tmp_path / "in.slha").write_text(f"BLOCK MODSEL\n 1 mode\nBLOCK MINPAR\n 4 {value}\n")
    found = chain(scan)
    outcome = found.evaluate([1.0], tmp_path / "nan")
    assert (outcome.status, outcome.failed_code) == (Status.INVALID, "code")
    assert "MINPAR" in outcome.message or value in outcome.message
    assert not any(path.is_file() for path in (tmp_path / "nan").rglob("*"))  # the program was not even started
    assert found.evaluate([3.0], tmp_path / "finite").status is Status.OK


def test_a_program_that_hangs_is_killed_with_all_that_it_started(program_scan, chain, tmp_path, tag):
    found = chain(program_scan("spheno.sh", settings="timeout: 1"))
    start = time.monotonic()
    outcome = found.evaluate([4.0], tmp_path / "s")
    assert outcome.status is Status.TIMED_OUT  # and not after the 1000 s that it would have taken
    assert 1.0 <= outcome.seconds[0] <= time.monotonic() - start
    assert wait_until(lambda: not alive(tag))


def test_files_that_a_program_leaves_stay_in_the_scratch_folder(program_scan, chain, tmp_path):
    scan = program_scan("spheno.sh")
    before = sorted(tmp_path.iterdir())
    chain(scan).evaluate([1.0], tmp_path / "s")
    assert (tmp_path / "s" / "Messages.out").exists()
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "s"])


def test_a_program_may_succeed_with_any_exit_code(program_scan, chain, tmp_path):
    settings = "timeout: 20\n    output_file: output.flha\n    success: {exit_codes: any}"
    found = chain(program_scan("superiso.sh", SUPERISO, settings))
    good, bad = found.evaluate([1.0], tmp_path / "1"), found.evaluate([2.0], tmp_path / "2")
    assert (good.status, good.observables) == (Status.OK, [3.4e-4])
    assert bad.status is Status.FAILED and "no output output.flha" in bad.message
    strict = chain(program_scan("superiso.sh", SUPERISO, settings.replace("any", "[0]")))
    assert strict.evaluate([1.0], tmp_path / "3").status is Status.FAILED


def test_a_stale_output_is_not_read_but_an_output_with_nul_bytes_is(program_scan, chain, tmp_path):
    scan = program_scan(
        "susyhit.sh",
        "mh: {slha: [MASS, 25], mean: 125, sigma: 2}, br: {slha: [BR, [25, [-5, 5]]]}",
        "timeout: 20\n    output_file: susyhit_slha.out",
    )
    # SUSY-HIT reads and writes files of fixed names, so a line of shell copies the input there
    scan.write_text(scan.read_text().replace("./susyhit.sh", "sh -c 'cp {input} slhaspectrum.in; ./susyhit.sh'"))
    scan.write_text(scan.read_text().replace("./susyhit.sh'", f"{tmp_path}/susyhit.sh'"))
    found = chain(scan)
    good = found.evaluate([1.0], tmp_path / "s")
    assert (good.status, good.observables) == (Status.OK, [125.0, 0.6])
    # in the same folder: even there the output of the previous point is not accepted
    assert found.evaluate([2.0], tmp_path / "s").status is Status.FAILED


def test_a_window_on_a_flag_makes_the_point_invalid(program_scan, chain, tmp_path):
    found = chain(program_scan("thdmc.sh", FLAGS + ", valid: 1}"))
    assert found.evaluate([1.0], tmp_path / "1").status is Status.OK
    outcome = found.evaluate([2.0], tmp_path / "2")
    assert (outcome.status, outcome.observables) == (Status.INVALID, [125.0, 0.0])
    assert "unitary = 0 is outside [1, 1]" in outcome.message


@pytest.mark.slow
def test_the_first_point_may_take_longer(program_scan, chain, tmp_path):
    omega = "mh: {slha: [OMEGA, 1], mean: 0.12, sigma: 0.01}"
    found = chain(program_scan("micromegas.sh", omega, "timeout: 3\n    first_timeout: 60"))
    assert [found.evaluate([1.0], tmp_path / f"{n}").status for n in range(3)] == [Status.OK] * 3
    (tmp_path / "compiled").unlink()
    assert found.evaluate([1.0], tmp_path / "4").status is Status.TIMED_OUT


def test_every_imitated_program_is_used_in_a_test():
    source = Path(__file__).read_text()
    assert all(path.name in source for path in PROGRAMS.iterdir())


def test_a_program_that_vanishes_fails_the_point(program_scan, chain, tmp_path):
    found = chain(program_scan("spheno.sh"))
    (tmp_path / "spheno.sh").unlink()
    outcome = found.evaluate([1.0], tmp_path / "s")
    assert outcome.status is Status.FAILED and "could not be started" in outcome.message


def test_an_output_too_large_for_a_spectrum_fails_the_point(program_scan, chain, tmp_path):
    scan = program_scan("spheno.sh")
    shutil.copy(PROGRAMS / "flood.sh", tmp_path / "spheno.sh")
    (tmp_path / "spheno.sh").write_text("#!/bin/sh\nhead -c 40000000 /dev/zero > $2\n")
    outcome = chain(scan).evaluate([1.0], tmp_path / "s")
    assert outcome.status is Status.FAILED and "larger than 32 MiB" in outcome.message


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("#!/no/such/interpreter -x", "its first line, '#!/no/such/interpreter -x', names a program that is not there"),
        ("#!/bin/sh\r", "its lines end as on Windows, and so does its interpreter's name"),
    ],
)
def test_a_script_without_its_interpreter_fails_the_point(program_scan, chain, tmp_path, first, message):
    (tmp_path / "odd.sh").write_bytes(f"{first}\nexit 0\n".encode())
    (tmp_path / "odd.sh").chmod(0o755)
    outcome = chain(program_scan("odd.sh")).evaluate([1.0], tmp_path / "point")
    assert outcome.status is Status.FAILED and message in outcome.message


def scan_of(command):
    """A scan file with one program, as YAML; the command is in YAML, too."""
    return (
        f"variables: {{x: [0, 1]}}\ncodes:\n  code:\n    command: {command}\n    input_file: in.slha\n"
        "    observables: {y: {slha: [MASS, 25], mean: 1, sigma: 1}}\n"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("printf 'BLOCK MASS\\n 25 125\\n'", "its standard output has SLHA blocks: write > {output} at the end"),
        (
            "printf 'BLOCK MASS\\n 25 125\\n' > SPheno.spc; echo BLOCK > A.log",
            "its file SPheno.spc has SLHA blocks: if that is the output, name it by output_file",
        ),
        ("echo 'no license' >&2; echo none > other", "(exit code 0): no license"),
    ],
)
def test_a_message_on_a_missing_output_says_where_the_blocks_are(scan_file, chain, tmp_path, line, words):
    text = scan_of("sh run.sh {input} {output}")
    made = chain(scan_file(text, in__slha="BLOCK MASS\n 25 x\n", run__sh=f"{line}\n"))
    found = made.evaluate([0.5], tmp_path / "scratch")
    assert found.status is Status.FAILED and words in found.message
    assert "SLHA blocks" in found.message or found.message.endswith(words)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sh gen.sh {in} {output}", "{in} in the command stands for nothing; write {input}, {output}, {folder}"),
        ("sh gen.sh {input} > {OUT}", "{OUT} in the command stands for nothing; write {input}, {output}"),
        ("sh gen.sh {x} {output}", "x stands in the template, which becomes {input}"),
        ("awk {print} {input}", ""),
    ],
)
def test_a_placeholder_that_stands_for_nothing_is_refused(scan_file, chain, command, words):
    path = scan_file(scan_of(f"'{command}'"), gen__sh="exit 0\n", in__slha="BLOCK MASS\n 25 x\n")
    with pytest.raises(ConfigurationError) if words else contextlib.nullcontext() as caught:
        chain(path)
    assert not words or words in str(caught.value)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("gen.sh", "does not exist in a folder of PATH; the one beside the scan file is ./gen.sh"),
        ("gem.sh", "does not exist in a folder of PATH; write its path"),
        ("./gem.sh", "does not exist: there is no file "),
        ("./my gen.sh", "does not exist; put the path with blanks into quotes within the command: './my gen.sh'"),
        ("./gen.sh", "is not executable: give it the right with chmod +x "),
    ],
)
def test_a_program_that_cannot_be_executed_is_explained(scan_file, chain, command, words):
    text = scan_of(f"{command} {{input}} {{output}}")
    with pytest.raises(ConfigurationError) as caught:
        chain(scan_file(text, in__slha="", **{"gen__sh": "exit 0\n", "my gen__sh": "exit 0\n"}))
    assert f"line 4: the program '{command.split()[0]}' {words}" in str(caught.value)
