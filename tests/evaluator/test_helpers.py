"""Helper processes of codes: some live on, others are killed and named, and two workers never share one."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from evaluator import leftovers
from evaluator.codes import sources
from evaluator.codes.sources import file_hash
from evaluator.executors.watch import Watch

SCAN = (
    "variables: {x: [0, 1e6]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: 20\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)
# as pexpect and ptyprocess start them: neither a Popen nor a Process
FORKED = (
    "import os, pty\nKEPT = []\n"
    "def f(point):\n    pid, master = pty.fork()\n"
    "    if pid == 0:\n        os.execvp('sleep', ['sleep', '1000'])\n"
    "    os.read(master, 1) if False else None\n"
    "    while open(f'/proc/{pid}/comm').read() != 'sleep\\n':\n        pass\n"
    "    KEPT.append(pid)\n    os.close(master)\n    return {'y': point['x']}\n"
)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.slow
def test_a_helper_that_is_killed_is_named_once(scan_file, evaluator, workers):
    text = FORKED.replace("    os.close(master)\n", "    KEPT.append(master)\n").replace(
        "    os.read(master, 1) if False else None\n", ""
    )
    server = evaluator(scan_file(SCAN, toy__py=text), workers=workers)
    assert server.statuses([[x] for x in range(20)]) == ["OK"] * 20
    lines = [line for line in server.log.read_text().splitlines() if "still running after their point" in line]
    assert len(lines) == 1
    assert "ended with it: sleep." in lines[0] and "subprocess.Popen" in lines[0] and "imported" in lines[0]


HELPER = (
    "import subprocess, time\n"
    "helper = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
    "def f(point):\n    helper.stdin.write(b'%d\\n' % point['x'])\n    helper.stdin.flush()\n    time.sleep(0.01)\n"
    "    return {'y': int(helper.stdout.readline())}\n"
)


def test_a_helper_started_by_an_import_belongs_to_one_worker(scan_file, evaluator):
    """Two workers that share a helper would read each other's answers."""
    server = evaluator(scan_file(SCAN, toy__py=HELPER), workers=2)
    results = server.evaluate([[x] for x in range(200)])
    assert [list(result.observables) for result in results] == [[x] for x in range(200)]
    assert len(server.programs("cat")) == 2  # both helpers live on
    said = server.log.read_text()
    assert said.count("importing the codes starts processes (cat)") == 1
    assert "still running after their point" not in said
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    results = server.evaluate([[x] for x in range(100)])
    assert [list(result.observables) for result in results] == [[x] for x in range(100)]
    assert server.terminate() == 0
    assert server.nothing_left()


def test_a_process_that_cannot_be_killed_is_named_and_does_not_block_the_janitor(tmp_path, monkeypatch, capfd):
    """The kernel cannot kill a process that waits for a broken disk."""
    monkeypatch.setattr(leftovers, "CLEAR_LIMIT", 0.2)
    environment = {**os.environ, leftovers.ROOT_MARK: str(tmp_path / "root")}
    process = subprocess.Popen(["sleep", "1000"], env=environment)
    (tmp_path / "root").mkdir()
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda pid, number: None if pid == process.pid else kill(pid, number))
    try:
        leftovers.clear_root(tmp_path / "root")
        assert process.poll() is None  # it did not wait for its end
        assert f"cannot be ended because they wait in the kernel: {process.pid} (sleep)" in capfd.readouterr().err
        assert not (tmp_path / "root").exists()
    finally:
        kill(process.pid, signal.SIGKILL)
        process.wait()


def test_files_are_hashed_once_and_later_only_compared_by_size_and_time(tmp_path, monkeypatch):
    table = tmp_path / "table"
    table.write_bytes(bytes(1000))
    old = time.time() - 100
    os.utime(table, (old, old))
    read = []
    digest = hashlib.sha256

    def counted():
        read.append(table)
        return digest()

    monkeypatch.setattr(hashlib, "sha256", counted)
    monkeypatch.setattr(sources, "SETTLED", 0)
    watch = Watch([{"table": file_hash(table)}])
    for _ in range(10):
        watch.compare()
    assert len(read) == 1
    monkeypatch.setattr(sources, "SETTLED", 10**12)  # a file that has just changed is read each time
    os.utime(table, (old + 1, old + 1))
    for _ in range(3):
        watch.compare()
    assert len(read) == 4


def test_the_janitor_of_every_evaluator_loads_the_standard_library_alone():
    """The janitor lives as long as the evaluator, so an import would cost memory all the time and delay each start."""
    program = (
        "import sys, evaluator.leftovers; print(sorted({'numpy', 'ruamel', 'scanspec', 'grpc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
