"""Once a file in the digest of an evaluator changes, the evaluator answers no further point."""

import json
import os
import signal
import subprocess
import sys

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.serving import ROOT, wait_until

SCAN = (
    "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: 20\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)
TOY = "from more import factor\n\ndef f(point):\n    return {'y': factor() * point['x']}\n"
MORE = "def factor():\n    return 2\n"
PROGRAM = "#!/bin/sh\nsed s/IN/OUT/ $1 > $2\n"
COMMAND = (
    "variables: {x: [0, 100]}\ncodes:\n  copy:\n    command: ./copy.sh {input} {output}\n    input_file: in.slha\n"
    "    observables: {y: {slha: [OUT, 1], mean: 1, sigma: 1}}\n"
)


def ends(server, *names):
    """Sends points until the evaluator ends; none may be answered."""
    try:
        call = server.stub.Evaluate(iter([server.request([[x] for x in range(200)])]), timeout=60)
        results = [result for response in call for result in response.results]
    except Exception:  # noqa: BLE001  # it may have ended already
        results = []
    assert {pb.Status.Name(result.status) for result in results} <= {"STATUS_CANCELLED"}
    assert server.process.wait(60) == 4
    said = server.log.read_text().rpartition("lodescan-evaluator: ")[2]
    assert "while this evaluator served" in said
    assert all(name in said for name in names)
    assert server.nothing_left()


@pytest.mark.parametrize(("workers", "name"), [pytest.param(0, "toy.py", marks=pytest.mark.slow), (2, "more.py")])
def test_a_changed_function_ends_the_evaluator(scan_file, evaluator, tmp_path, workers, name):
    server = evaluator(scan_file(SCAN, toy__py=TOY, more__py=MORE), workers=workers)
    assert [list(result.observables) for result in server.evaluate([[1], [2]])] == [[2.0], [4.0]]
    path = tmp_path / name
    path.write_text(path.read_text().replace("2", "3") + "\n")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    ends(server, name, "was changed")


@pytest.mark.slow
def test_a_changed_table_of_a_likelihood_ends_the_evaluator(scan_file, evaluator, tmp_path):
    (tmp_path / "t.txt").write_text("0 0\n100 50\n")
    text = SCAN + "likelihoods:\n  t: {observables: y, table: t.txt}\n"
    server = evaluator(scan_file(text, toy__py=TOY, more__py=MORE))
    assert [list(result.observables) for result in server.evaluate([[20]])] == [[40.0, 20.0]]
    (tmp_path / "t.txt").write_text("0 0\n100 51\n")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    ends(server, "t.txt", "was changed")


@pytest.mark.slow
def test_a_new_worker_compares_every_file_however_many_there_are(scan_file, evaluator, tmp_path):
    """Between points, the comparison of many files may be delayed to save time; at the start of a worker it is not."""
    modules = [f"m{number}" for number in range(30)]
    for name in modules:
        (tmp_path / f"{name}.py").write_text("")
    scan = scan_file(SCAN, toy__py=f"import {', '.join(modules)}\n{TOY}", more__py=MORE)
    server = evaluator(scan, before="from evaluator.executors import watch; watch.SHARE = 1e-9")
    assert [list(result.observables) for result in server.evaluate([[1]])] == [[2.0]]
    (tmp_path / "more.py").write_text(MORE.replace("2", "3"))
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    ends(server, "more.py", "was changed")


@pytest.mark.parametrize(("workers", "name"), [pytest.param(0, "in.slha", marks=pytest.mark.slow), (2, "copy.sh")])
def test_a_changed_program_or_template_ends_the_evaluator(scan_file, evaluator, tmp_path, workers, name):
    scan = scan_file(COMMAND, copy__sh=PROGRAM, in__slha="BLOCK IN\n 1 x\n")
    (tmp_path / "copy.sh").chmod(0o755)
    server = evaluator(scan, workers=workers)
    assert [list(result.observables) for result in server.evaluate([[1], [2]])] == [[1.0], [2.0]]
    path = tmp_path / name
    before = path.stat()
    path.write_text(
        path.read_text().replace("x", "y").replace("OUT", "out")
    )  # with the same size and time of change as before
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    ends(server, name)


@pytest.mark.slow
def test_a_removed_program_ends_the_evaluator(scan_file, evaluator, tmp_path):
    scan = scan_file(COMMAND, copy__sh=PROGRAM, in__slha="BLOCK IN\n 1 x\n")
    (tmp_path / "copy.sh").chmod(0o755)
    server = evaluator(scan)
    (tmp_path / "copy.sh").unlink()
    ends(server, "copy.sh", "is gone")


@pytest.mark.slow
def test_a_changed_module_elsewhere_and_a_changed_file_of_an_environment_variable_end_the_evaluator(
    scan_file, evaluator, tmp_path
):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "more.py").write_text(MORE)
    table = tmp_path / "table"
    table.write_text("1\n")
    scan = scan_file(f"setup: {{environment_variables: {{TABLE: {table}}}}}\n" + SCAN, toy__py=TOY)
    for path in (tmp_path / "lib" / "more.py", table):
        server = evaluator(scan, environment={"PYTHONPATH": os.pathsep.join([str(tmp_path / "lib"), *sys.path[1:]])})
        path.write_text(path.read_text() + "\n")
        ends(server, path.name)


def test_a_file_that_is_rewritten_with_the_same_content_changes_nothing(scan_file, evaluator, tmp_path):
    server = evaluator(scan_file(SCAN, toy__py=TOY, more__py=MORE), workers=1)
    (tmp_path / "more.py").write_text(MORE)
    os.utime(tmp_path / "toy.py")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    assert server.statuses([[1], [2]]) == ["OK", "OK"]


def test_a_scan_file_that_is_edited_changes_nothing_until_the_next_start(scan_file, evaluator):
    scan = scan_file(SCAN, toy__py=TOY, more__py=MORE)
    server = evaluator(scan, workers=1)
    scan.write_text("nonsense: [")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    assert server.statuses([[1], [2]]) == ["OK", "OK"]


def test_a_change_while_a_point_runs_is_noticed(scan_file, evaluator, tmp_path):
    scan = scan_file(
        COMMAND,
        copy__sh="#!/bin/sh\ntouch began\nwhile [ ! -e ../../../go ]; do sleep 0.02; done\nsed s/IN/OUT/ $1 > $2\n",
        in__slha="BLOCK IN\n 1 x\n",
    )
    (tmp_path / "copy.sh").chmod(0o755)
    server = evaluator(scan, options=["--grace", "0.1"])
    call = server.stub.Evaluate(iter([server.request([[1]])]), timeout=60)
    assert wait_until(lambda: list(server.temporary.glob("lodescan-*/point-*/began")))
    (tmp_path / "in.slha").write_text("BLOCK IN\n 1 3*x\n")
    (tmp_path / "go").touch()
    assert [result.status for response in call for result in response.results] == [pb.STATUS_CANCELLED]
    assert server.process.wait(60) == 4


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_files_that_the_program_writes_are_not_watched(scan_file, evaluator, tmp_path, workers):
    """The command names these files, and they exist before the first point. One has the name of an output."""
    program = PROGRAM.replace("sed", 'echo 1 >> "$3"; echo 1 >> "$4"; sed')
    command = COMMAND.replace("{output}", "{output} ./cache ./seen.log")
    scan = scan_file(command, copy__sh=program, in__slha="BLOCK IN\n 1 x\n")
    (tmp_path / "copy.sh").chmod(0o755)
    for name in ("cache", "seen.log"):
        (tmp_path / name).write_text("0\n")
    server = evaluator(scan, workers=workers)
    sources = server.describe().sources
    assert "copy: file cache" in sources and not any("seen.log" in name for name in sources)
    assert server.statuses([[x] for x in range(20)]) == ["OK"] * 20
    for name in ("cache", "seen.log"):
        assert (tmp_path / name).read_text().count("1") == 20
    said = server.log.read_text()
    assert "cache was written while the first point ran" in said
    assert "seen.log was written while" not in said
    assert server.terminate() == 0


WRAPPER = """#!/bin/bash
HERE=$(dirname "$0")
echo "# $RANDOM" > "$HERE/driver.sh"; echo 'sed s/IN/OUT/ "$1" > "$2"' >> $(dirname "$0")/driver.sh
echo "# $RANDOM" | tee -a "$HERE/more.sh" > /dev/null
cp "$HERE/driver.sh" "$HERE/table"
cp "$HERE/driver.sh" "$HERE/run.log"
sh "$HERE/driver.sh" "$1" "$2"
sh "$HERE/more.sh"
"""


def test_scripts_that_a_wrapper_writes_at_each_point_end_no_evaluator(scan_file, evaluator, tmp_path):
    """They exist from an earlier start; on some file systems every file is executable."""
    written = {"driver__sh": "#!/bin/sh\n", "more__sh": "#!/bin/sh\n", "table": "1\n", "run__log": "1\n"}
    scan = scan_file(COMMAND, copy__sh=WRAPPER, in__slha="BLOCK IN\n 1 x\n", **written)
    for name in ("copy.sh", "table", "run.log"):
        (tmp_path / name).chmod(0o755)
    server = evaluator(scan, workers=1)
    sources = {name for name in server.describe().sources if name.startswith("copy: program")}
    assert sources == {"copy: program copy.sh", "copy: program table"}
    assert server.statuses([[x] for x in range(3)]) == ["OK"] * 3
    assert server.statuses([[x] for x in range(3)]) == ["OK"] * 3
    assert "table was written while the first point ran" in server.log.read_text()


@pytest.mark.slow
def test_changed_data_named_in_the_scan_file_end_the_evaluator(scan_file, evaluator, tmp_path):
    (tmp_path / "tables" / "deep").mkdir(parents=True)
    for name in ("a.dat", "deep/b.dat"):
        (tmp_path / "tables" / name).write_text("1\n")
    scan = scan_file(SCAN.replace("timeout: 20", "data: [tables, one.csv]"), toy__py=TOY, more__py=MORE, one__csv="1\n")
    server = evaluator(scan, workers=1)
    sources = server.describe().sources
    assert {"toy: data tables/a.dat", "toy: data tables/deep/b.dat", "toy: data one.csv"} <= set(sources)
    before = server.describe().physics_digest
    assert server.statuses([[1], [2]]) == ["OK", "OK"]
    (tmp_path / "tables" / "deep" / "b.dat").write_text("2\n")
    ends(server, "b.dat", "was changed")
    assert evaluator(scan, workers=1).describe().physics_digest != before


OPENS = """
import csv
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LIMITS = np.loadtxt(HERE / "limits.dat")
with (HERE / "seen.csv").open("a") as log:
    log.write("1\\n")
SEEN = (HERE / "seen.csv").read_text()  # its own, so that it changes at each start
print("noise")


def f(point):
    (HERE / "later.dat").read_text()
    return {"y": LIMITS[0] * point["x"]}
"""


@pytest.mark.slow
def test_a_changed_file_that_a_module_reads_at_import_ends_the_evaluator(scan_file, evaluator, tmp_path):
    scan = scan_file(SCAN, toy__py=OPENS, limits__dat="2 1\n", later__dat="x")
    server = evaluator(scan, workers=0)
    described = server.describe()
    assert {source for source in described.sources if " data " in source} == {"toy: data limits.dat"}
    assert [list(result.observables) for result in server.evaluate([[1], [2]])] == [[2.0], [4.0]]
    (tmp_path / "limits.dat").write_text("3 1\n")
    ends(server, "limits.dat", "was changed")
    again = evaluator(scan, workers=0)
    assert again.describe().physics_digest != described.physics_digest
    (tmp_path / "limits.dat").write_text("2 1\n")
    ends(again, "limits.dat")  # this also holds before the first point


CHANGES_ITSELF = """
import os

def f(point):
    if point["x"] == 40:
        with open(__file__, "a") as file:
            file.write("# another version")
    return {"y": 1.0}
"""
WITHOUT_WORKERS = """
import json, sys, threading
from evaluator.chain import Chain
from evaluator.executors.in_process import InProcessExecutor
from evaluator.executors.job import Job
from scanspec import read_scan_file

chain = Chain(read_scan_file(sys.argv[1]))
chain.load()
executor = InProcessExecutor(chain)
done = threading.Semaphore(0)
jobs = [Job(number, [float(number)], 0.0, lambda job: done.release()) for number in range(100)]
executor.submit(*jobs)
for _ in jobs:
    done.acquire()
print(json.dumps([job.outcome.status.name for job in jobs]))
executor.close()
"""


def test_no_quick_point_that_shares_a_look_at_the_files_with_a_change_is_answered(scan_file):
    scan = scan_file(SCAN, toy__py=CHANGES_ITSELF)
    command = [sys.executable, "-c", WITHOUT_WORKERS, str(scan)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    statuses = json.loads(done.stdout)
    answered = statuses.count("OK")
    assert 1 <= answered <= 40, done
    assert statuses == ["OK"] * answered + ["CANCELLED"] * (100 - answered), done
