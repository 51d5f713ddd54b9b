"""The temporary files of a point are in its worker's folder: they count there, and go with the point."""

import os

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
