"""What counts as a point's scratch files, and the messages on a small disk."""

import os
import signal
import subprocess
import sys

import pytest

from evaluator.chain import Status
from evaluator.executors import scratch
from evaluator.executors.scratch import ScratchLimit, used_by
from lodescan.v1 import evaluation_pb2 as pb

MIB = 2**20


def test_hard_links_count_once(tmp_path):
    (tmp_path / "file").write_bytes(bytes(MIB))
    for number in range(9):
        os.link(tmp_path / "file", tmp_path / f"link{number}")
    (tmp_path / "sub").mkdir()
    os.link(tmp_path / "file", tmp_path / "sub" / "link")
    (tmp_path / "other").write_bytes(bytes(MIB))
    assert 2 * MIB <= used_by(str(tmp_path), 2**30) < 2.2 * MIB


def test_a_removed_file_that_is_still_open_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "LARGEST_FOLDER", 16 * MIB)
    limit = ScratchLimit(tmp_path, 1)
    before = limit.free()
    hold = (
        "import os, sys, time\nf = open(sys.argv[1], 'wb')\nos.unlink(sys.argv[1])\nf.write(bytes(20 * 2**20))\n"
        "f.flush()\nprint('done', flush=True)\ntime.sleep(1000)\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "gone")]
    parent = f"import subprocess; subprocess.run({command!r})"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout.readline() == b"done\n"
        assert used_by(str(tmp_path), 2**30) < MIB
        assert limit.passed_by([str(tmp_path)], process.pid, before)
        assert not limit.passed_by([str(tmp_path)], os.getppid(), limit.free())  # nothing has been used since
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


SMALL_DISK = """
import os
statvfs = os.statvfs
def small(path):
    found = list(statvfs(path))
    found[4] = 160 * 2**20 // found[1]  # blocks that are free
    return os.statvfs_result(found)
os.statvfs = small
"""
FILLS = (  # not as fast as the disk: until somebody looks, that would be a gigabyte
    "import time\ndef f(point):\n    point.folder.mkdir(exist_ok=True)\n    n = 0\n    while point['x'] > 1:\n"
    "        n += 1\n        (point.folder / f'{n}').write_bytes(bytes(2**20))\n        time.sleep(0.02)\n"
    "    return {'y': point['x']}\n"
)


def test_a_small_disk_is_named_at_the_start_and_not_blamed_on_a_point(scan_file, evaluator):
    scan = scan_file(
        "variables: {x: [0, 9]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: 20\n"
        "    observables: {y: {mean: 1, sigma: 1}}\n",
        toy__py=FILLS,
    )
    server = evaluator(scan, workers=2, before=SMALL_DISK)
    assert "of 2 points at once each may have 40 MiB; set TMPDIR" in server.log.read_text()
    results = server.evaluate([[1], [2], [1]])
    assert [result.status for result in results] == [pb.STATUS_OK, pb.STATUS_KILLED, pb.STATUS_OK]
    message = results[1].message
    assert message.startswith("wrote more than 40 MiB of scratch files") and "set TMPDIR to a folder on" in message


@pytest.mark.parametrize(
    ("free", "status", "warns"),
    [
        (2**20, Status.KILLED, True),
        (2**31, Status.KILLED, False),  # 256 MiB for each point: as in compose.yaml with four workers
        (2**40, Status.FAILED, False),
        (None, Status.FAILED, False),
    ],
)
def test_the_verdict_follows_the_disk(tmp_path, monkeypatch, free, status, warns):
    monkeypatch.setattr(ScratchLimit, "free", lambda self: free)
    limit = ScratchLimit(tmp_path, 4)
    assert limit.verdict()[0] is status
    assert bool(limit.notice) is warns
