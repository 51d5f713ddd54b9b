"""The temporary files of a point are in its worker's folder: they count there, and go with the point."""

import os
import subprocess
import sys
import tempfile
import time

import pytest

from evaluator.executors import temporary
from evaluator.executors.temporary import MOST_NAMES, TemporaryFiles
from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.test_scratch_limit import MIB, SMALL_DISK

SCAN = (
    "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    observables: {y: {mean: 1, sigma: 1}, z: {}}\n"
)
LEAVES = """
import functools, os, subprocess, tempfile
from pathlib import Path
from evaluator import InvalidPoint

def make(text):
    folder = tempfile.mkdtemp()
    Path(folder, "file").write_text(text)
    return folder

ONCE = make("1")

@functools.cache
def lazily():
    return make("2")

def f(point):
    if point["x"] > 50:
        raise InvalidPoint("before anything is made")
    tables = [Path(folder, "file").read_text() for folder in (ONCE, lazily())]
    make("3")
    subprocess.run(["/bin/sh", "-c", 'mkdir "$TMPDIR/folder"; mkdir "$TMP/$$"; touch "$TEMP/file$$"'])
    os.symlink("/etc", tempfile.mktemp())
    return {"y": sum(map(float, tables)), "z": len(os.listdir(tempfile.gettempdir()))}
"""
PROGRAM = '#!/bin/sh\nmktemp >> /dev/null\nmkdir "$TMPDIR/folder" || exit 1\nsed s/IN/OUT/ $1 > $2\n'
COMMAND = (
    "variables: {x: [0, 100]}\ncodes:\n  copy:\n    command: ./copy.sh {input} {output}\n    input_file: in.slha\n"
    "    observables: {y: {slha: [OUT, 1], mean: 1, sigma: 1}}\n"
)


def test_what_a_function_leaves_is_removed_but_for_what_is_made_once(scan_file, evaluator):
    server = evaluator(scan_file(SCAN, toy__py=LEAVES))
    assert server.statuses([[60]]) == ["INVALID"]
    results = [list(server.evaluate([[x]])[0].observables) for x in range(4)]
    assert [y for y, _ in results] == [3.0] * 4
    first, *later = [z for _, z in results]
    assert later == [first + 5 - 1] * 3  # each makes five more, and the folder of the first stays
    assert [path for path in server.temporary.iterdir() if path.name.startswith(("tmp", "folder", "file"))] == []
    server.terminate()
    assert server.nothing_left()


@pytest.mark.slow
def test_what_a_program_leaves_goes_also_when_the_worker_is_killed(scan_file, evaluator):
    scan = scan_file(COMMAND, copy__sh=PROGRAM, in__slha="BLOCK IN\n 1 x\n")
    (scan.parent / "copy.sh").chmod(0o755)
    server = evaluator(scan)
    assert [server.evaluate([[x]])[0].message for x in range(3)] == ["", "", ""]  # none meets another's folder
    (before,) = server.scratch()[0].glob("0.*")
    os.kill(server.workers()[0], 9)
    assert server.statuses([[1]]) == ["OK"]
    (after,) = server.scratch()[0].glob("0.*")
    assert after != before and not list(after.iterdir())
    assert not list(server.temporary.glob("tmp*"))


def test_they_count_as_scratch_files(scan_file, evaluator):
    fills = (
        "import tempfile\ndef f(point):\n    while point['x'] > 1:\n"
        f"        open(tempfile.mkstemp()[1], 'wb').write(bytes({MIB}))\n    return {{'y': 1, 'z': 1}}\n"
    )
    server = evaluator(scan_file(SCAN, toy__py=fills), workers=2, before=SMALL_DISK)
    full, fits = server.evaluate([[2], [1]])
    assert (full.status, fits.status) == (pb.STATUS_KILLED, pb.STATUS_OK)
    assert full.message.startswith("wrote more than 40 MiB of scratch files")


@pytest.mark.slow
def test_those_of_earlier_points_do_not_count(scan_file, evaluator):
    """Each of them writes less than the limit of 80 MiB; the last one runs while its scratch files are looked at."""
    leaves = (
        "import tempfile, time\nfrom evaluator import InvalidPoint\ndef f(point):\n"
        f"    open(tempfile.mkstemp()[1], 'wb').write(bytes(30 * {MIB}))\n    time.sleep(point['x'])\n"
        "    raise InvalidPoint('no')\n"
    )
    server = evaluator(scan_file(SCAN, toy__py=leaves), before=SMALL_DISK)
    assert [server.statuses([[pause]]) for pause in (0.1, 0.1, 0.6)] == [["INVALID"]] * 3


@pytest.mark.slow
def test_a_folder_that_the_scan_file_sets_is_left_alone(scan_file, evaluator, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    sees = (
        "import os, subprocess, tempfile\nAT_IMPORT = tempfile.gettempdir()\ndef f(point):\n"
        "    shell = subprocess.run(['/bin/sh', '-c', 'echo $TMPDIR'], stdout=-1, text=True).stdout.strip()\n"
        "    seen = [AT_IMPORT, tempfile.gettempdir(), os.environ['TMPDIR'], shell]\n"
        f"    return {{'y': seen.count({str(mine)!r}), 'z': {str(mine)!r} in os.environ.values()}}\n"
    )
    server = evaluator(scan_file(f"setup: {{environment_variables: {{TMPDIR: {mine}}}}}\n" + SCAN, toy__py=sees))
    assert [list(result.observables) for result in server.evaluate([[1], [2]])] == [[4.0, 1.0]] * 2


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The temporary files of this process, for the time of a test."""
    monkeypatch.delenv(temporary.LEFT_ALONE, raising=False)
    for name in temporary.NAMES:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(tempfile, "tempdir", None)
    return TemporaryFiles(str(tmp_path / "temporary"))


def make(names, at=None):
    """Makes empty files; `at`: the time of their folder, in nanoseconds since 1970."""
    folder = tempfile.gettempdir()
    for name in names:
        with open(os.path.join(folder, name), "w"):
            pass
    if at is not None:
        os.utime(folder, ns=(at, at))


def test_a_change_within_a_tick_of_the_clock_is_noticed(files):
    """Two changes give a folder the same time."""
    files.loaded(functions=False)
    now = time.time_ns() + 10**12  # not long ago, however slow the machine
    for name in ("a", "b", "c"):
        make([name], at=now)
        files.clear(ok=True)
        os.utime(tempfile.gettempdir(), ns=(now, now))
    assert os.listdir(tempfile.gettempdir()) == []


def test_a_folder_that_has_not_changed_for_long_is_not_read(files):
    files.loaded(functions=False)
    make([], at=10**9)
    files.clear(ok=True)
    make(["unseen"], at=10**9)
    files.clear(ok=True)
    assert os.listdir(tempfile.gettempdir()) == ["unseen"]


@pytest.mark.parametrize("much", ["names", "bytes"])
def test_what_is_kept_before_the_first_ok_point_is_bounded(files, monkeypatch, much):
    make(["import"])
    monkeypatch.setattr("evaluator.executors.temporary.MOST_BYTES", MIB)
    files.loaded(functions=True)
    if much == "names":
        make(f"{number}" for number in range(MOST_NAMES))
    else:
        make(["large"])
        with open(os.path.join(tempfile.gettempdir(), "large"), "wb") as file:
            file.write(bytes(2 * MIB))
    files.clear(ok=False)
    kept = set(os.listdir(tempfile.gettempdir()))
    make(["late"])
    files.clear(ok=False)
    assert set(os.listdir(tempfile.gettempdir())) == kept and len(kept) > 1


def test_a_folder_that_cannot_be_made_does_not_end_the_fork_server(tmp_path):
    (tmp_path / "file").touch()
    environment = {**os.environ, "LODESCAN_SCRATCH": str(tmp_path / "file")}
    subprocess.run([sys.executable, "-c", "import evaluator.executors.preload"], env=environment, check=True)
