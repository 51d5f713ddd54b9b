"""examples/slurm and examples/htcondor: several evaluators as jobs, which are killed at their walltime."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proposer.commands.certificates import certificates
from tests.evaluator.serving import wait_until
from tests.pair.conftest import ScanFolder, read_run
from tests.pair.processes import ROOT, LoggedProcess

pytestmark = pytest.mark.slow

PROPOSER, EVALUATOR = str(ROOT / ".envs/proposer/bin/lodescan"), str(ROOT / ".envs/evaluator/bin/lodescan-evaluator")


class Queue:
    """Imitates a batch system: starts a script as a job, warns it with a signal, and kills it at its walltime."""

    def __init__(self, folder: Path, scan: Path) -> None:
        self.folder, self.scan, self.pool = folder, scan, folder / "pool"
        certificates(folder / "pair", [], 30)
        self.jobs: list[LoggedProcess] = []

    def submit(self, script: str, **variables: str) -> LoggedProcess:
        own = {
            "PAIR": str(self.folder / "pair"),
            "RUN": str(self.folder / "run"),
            "SLURM_CPUS_PER_TASK": "1",
            "GRACE": "5",
            "EVALUATOR": EVALUATOR,
        }
        command = ["setsid", "bash", str(ROOT / "examples" / script), str(self.scan), str(self.pool)]
        self.jobs.append(LoggedProcess(self.folder / f"job{len(self.jobs)}.log", command, **own, **variables))
        return self.jobs[-1]

    def warn(self, job: LoggedProcess) -> None:
        """Sends SIGTERM to the script alone, as --signal=B:TERM@120 does."""
        job.process.send_signal(signal.SIGTERM)

    def kill(self, job: LoggedProcess) -> None:
        """Kills the whole job at once, as at the walltime."""
        os.killpg(job.process.pid, signal.SIGKILL)
        job.process.wait()

    def close(self) -> None:
        for job in self.jobs:
            if job.process.poll() is None:
                self.kill(job)


@pytest.fixture
def queue(tmp_path: Path, make_scan: Callable[..., ScanFolder]) -> Iterator[tuple[Queue, ScanFolder]]:
    folder = make_scan(setup="  seed: 1\n  type: RANDOM\n  max_evaluations: 100", body="time.sleep(0.2)")
    found = Queue(tmp_path, folder.file)
    yield found, folder
    found.close()


def test_jobs_that_end_in_time_cost_nothing_and_a_killed_job_costs_its_running_points(
    queue: tuple[Queue, ScanFolder],
) -> None:
    jobs, folder = queue
    script = "slurm/evaluators.sbatch"
    side = jobs.folder / "pair/proposer"
    files = [f"--tls-{kind}={side}/{kind}.pem" for kind in ("ca", "cert", "key")] + [f"--token-file={side}/token"]
    words = ["scan", str(folder.file), "--evaluator", f"dir:{jobs.pool}", "--run", str(folder.folder / "run")]
    scan = LoggedProcess(folder.folder / "scan.log", [PROPOSER, *words, *files, "--no-report", "--no-race"])
    assert scan.wait_for("waiting for an evaluator")

    cut, warned = (jobs.submit(script, LIFETIME="1h") for _ in range(2))
    in_time = jobs.submit(script, LIFETIME="8s")
    assert wait_until(lambda: scan.said.count("takes part") >= 2 and len(folder.evaluated()) >= 10, 60)
    jobs.warn(warned)
    assert warned.wait() == 6
    before = len(folder.evaluated())

    def two_are_out() -> bool:
        """All results except those of running points are on the disk, so none is lost on its way."""
        begun = len(folder.evaluated())
        return begun >= before + 4 and begun - len(read_run(folder.folder / "run").ids) <= 2

    assert wait_until(two_are_out, 60)
    jobs.kill(cut)
    assert in_time.wait() == 6 and "the end of its lifetime" in in_time.said
    assert scan.process.poll() is None, scan.said  # the scan waits for the next job
    last = jobs.submit(script, LIFETIME="1h")
    assert scan.wait() == 0, scan.said
    assert last.wait() == 0 and "the end of the scan" in last.said  # the proposer has told the evaluator

    assert Counter(read_run(folder.folder / "run").status) == {"OK": 100}
    times = Counter(Counter(folder.evaluated()).values())
    assert set(times) <= {1, 2} and times[2] <= 1  # the killed job had one worker, so one point was running


def test_evaluators_that_begin_after_the_scan_end_at_once(queue: tuple[Queue, ScanFolder]) -> None:
    jobs, _ = queue
    jobs.pool.mkdir()
    (jobs.pool / "finished").touch()
    late = jobs.submit("slurm/evaluators.sbatch")
    assert late.wait() == 0 and late.said == ""


def test_the_job_of_the_proposer_ends_the_pool_or_goes_on_later(queue: tuple[Queue, ScanFolder]) -> None:
    jobs, _ = queue
    evaluator = jobs.submit("htcondor/evaluator.sh", LIFETIME="1h")
    scan = jobs.submit("slurm/proposer.sbatch", PROPOSER=PROPOSER)
    assert scan.wait_for("takes part")
    jobs.warn(scan)
    assert scan.wait() == 143 and "give the same command again to continue" in scan.said
    assert not (jobs.pool / "finished").exists()
    again = jobs.submit("slurm/proposer.sbatch", PROPOSER=PROPOSER)
    assert again.wait() == 0, again.said
    assert (jobs.pool / "finished").exists()
    assert evaluator.wait() == 0
