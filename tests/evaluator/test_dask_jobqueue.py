"""Workers that dask-jobqueue starts as jobs, as in docs/slurm.md; here the jobs are processes of this machine."""

import os
import re
import subprocess
import sys

import pytest

from tests.evaluator.serving import ROOT, wait_until

pytestmark = [pytest.mark.physics(environment="dask"), pytest.mark.slow]

HERE = """
import sys
from dask_jobqueue.local import LocalCluster

def SLURMCluster(**options):
    options.update(cores=1, python=sys.executable, interface="lo", local_directory=".")
    options["worker_extra_args"].append("--no-dashboard")
    options["scheduler_options"] = {"dashboard_address": None}
    return LocalCluster(**options)
"""

SCALE = """
with cluster:
    print(cluster.scheduler_address, flush=True)
    for line in sys.stdin:
        cluster.scale(jobs=int(line))
"""


def documented():
    """The code in docs/slurm.md, changed to a queue on this machine without first jobs."""
    text = (ROOT / "docs/slurm.md").read_text()
    begin, end = "from dask_jobqueue import SLURMCluster\n", "cluster.scale("
    (snippet,) = re.findall(f"{re.escape(begin)}(.*?){re.escape(end)}", text, re.DOTALL)
    return HERE + snippet + SCALE


@pytest.fixture
def queue(tmp_path):
    """The queue of a batch system: reads the number of jobs from lines of its input, and ends with the input."""
    with (
        (tmp_path / "queue.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-c", documented()],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        yield process
        process.stdin.close()
        assert process.wait(60) == 0, (tmp_path / "queue.log").read_text()


def test_jobs_come_and_go(queue, evaluator, scan_file):
    scan = scan_file(
        "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: 60\n"
        "    observables: {y: {mean: 1, sigma: 1}, pid: {}}\n",
        toy__py="import os\ndef f(point):\n    return {'y': point['x'] ** 2, 'pid': os.getppid()}\n",
    )
    address = queue.stdout.readline().strip()

    def scale(jobs):
        queue.stdin.write(f"{jobs}\n")
        queue.stdin.flush()

    scale(1)
    server = evaluator(scan, options=["--executor", "dask", "--scheduler", address])
    assert server.describe().concurrency == 1
    scale(2)
    assert wait_until(lambda: server.describe().concurrency == 2, 60)
    found = server.evaluate([[x] for x in range(40)])
    assert [result.observables[0] for result in found] == [x**2 for x in range(40)]
    assert len({result.observables[1] for result in found}) == 2
    scale(1)
    assert wait_until(lambda: server.describe().concurrency == 1, 60)
    assert [result.observables[0] for result in server.evaluate([[x] for x in range(5)])] == [0, 1, 4, 9, 16]
    assert server.terminate() == 0
