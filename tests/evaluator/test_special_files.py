"""Pipes and devices in the place of outputs, templates and tables, which would never end."""

import os
import subprocess
import sys

import pytest

from evaluator.chain import Chain, Status
from evaluator.errors import ConfigurationError
from scanspec import ScanFileError, read_scan_file

GOOD = "printf 'BLOCK MASS\\n 25 125\\n'"


@pytest.mark.parametrize(
    ("lines", "status", "message"),
    [
        ("ln -s /dev/zero $2", Status.FAILED, "is a device"),
        ("ln -s /dev/full $2", Status.FAILED, "is a device"),
        ("mkfifo $2", Status.FAILED, "is a named pipe"),
        ("mkfifo p; ln -s p $2", Status.FAILED, "is a named pipe"),
        ("mkdir $2", Status.FAILED, "is a folder"),
        ("ln -s nothing $2", Status.FAILED, "there is no output"),
        ("ln -s $2 $2", Status.FAILED, "there is no output"),
        (f"{GOOD} > other; ln -s other $2", Status.OK, ""),
        ("truncate -s 200G $2", Status.FAILED, "larger than"),
        (f"rm code.stderr; mkfifo code.stderr; {GOOD} > $2", Status.OK, ""),
        (f"rm code.stdout; ln -s /dev/zero code.stdout; {GOOD} > $2", Status.OK, ""),
    ],
)
def test_an_output_that_is_not_a_file_fails_the_point(program_scan, chain, tmp_path, lines, status, message):
    scan = program_scan("spheno.sh", settings="timeout: 10", words="{input} {output}")
    (tmp_path / "spheno.sh").write_text(f"#!/bin/sh\n{lines}\n")
    outcome = chain(scan).evaluate([1.0], tmp_path / "s")
    assert (outcome.status, message in outcome.message) == (status, True), outcome.message


def test_a_code_may_leave_anything_in_the_place_of_files_of_the_next_code(scan_file, chain, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine\n")
    files = ("two.in.slha", "two.stdout", "two.stderr", "two.out.slha")
    scan = scan_file(
        "variables: {x: [0, 9]}\ncodes:\n"
        "  one:\n    command: sh one.sh {input} {output}\n    input_file: in.slha\n    output_file: one.slha\n"
        "  two:\n    command: cp {input} {output}\n    output_file: two.out.slha\n"
        "    observables: {y: {slha: [MASS, 25], mean: 125, sigma: 1}}\n",
        in__slha="BLOCK IN\n 1 x\n",
        one__sh=f"{GOOD} > $2\n" + "".join(f"ln -s {outside} {name}\n" for name in files),
    )
    outcome = chain(scan).evaluate([1.0], tmp_path / "s")
    assert (outcome.status, outcome.observables) == (Status.OK, [125.0])
    assert outside.read_text() == "mine\n"


def test_a_template_a_program_or_a_table_that_is_not_a_file_is_refused(program_scan, scan_file, tmp_path):
    scan = program_scan("spheno.sh")
    (tmp_path / "in.slha").unlink()
    os.mkfifo(tmp_path / "in.slha")
    with pytest.raises(ConfigurationError, match=r"in\.slha cannot be read: it is a named pipe, not a file"):
        Chain(read_scan_file(scan))
    os.mkfifo(tmp_path / "rows.csv")
    table = scan_file(
        "setup: {type: READ_CSV, init_csv: rows.csv}\nvariables: {x: }\n"
        "codes: {toy: {function: 'codes:square', observables: {y: {mean: 1, sigma: 1}}}}\n"
    )
    with pytest.raises(ScanFileError, match=r"rows\.csv cannot be read as CSV \(it is a named pipe, not a file\)"):
        read_scan_file(table)


def test_a_program_gets_the_environment_variables_that_it_needs(program_scan, tmp_path):
    scan = program_scan("spheno.sh", more="setup: {environment_variables: {NAMED: here}}\n")
    (tmp_path / "spheno.sh").write_text(f"#!/bin/sh\n/usr/bin/env > {tmp_path}/seen\n{GOOD} > $2\n")
    given = {"SECRET_TOKEN": "x", "SLURM_JWT": "x", "OMP_NUM_THREADS": "2", "LC_ALL": "C", "LD_LIBRARY_PATH": "/lib"}
    subprocess.run(
        [sys.executable, "-m", "evaluator", "point", str(scan)],
        env={**os.environ, **given},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seen = dict(line.partition("=")[::2] for line in (tmp_path / "seen").read_text().splitlines())
    assert seen["NAMED"] == "here" and {"PATH", "HOME"} <= seen.keys()
    assert {name for name in given if name in seen} == {"OMP_NUM_THREADS", "LC_ALL", "LD_LIBRARY_PATH"}
