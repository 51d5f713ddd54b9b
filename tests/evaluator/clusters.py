"""Dask clusters for tests: a real scheduler and real workers on loopback."""

import json
import os
import subprocess
import sys

from tests.evaluator.harness import TAG
from tests.evaluator.serving import wait_until


def read_json(file):
    """The content of a file that another process writes; None while the file is incomplete."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


class Cluster:
    """A scheduler and its workers on loopback, each in its own process."""

    def __init__(self, folder, tag):
        self.folder, self.tag = folder, tag
        self.processes = []
        self.start(
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(folder / "scheduler.json"),
        )
        file = folder / "scheduler.json"
        assert wait_until(lambda: read_json(file), 60), self.said()
        self.address = read_json(file)["address"]

    def start(self, kind, *options):
        number = len(self.processes)
        with (self.folder / f"{kind}-{number}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", kind, *options],
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env={**os.environ, TAG: self.tag, "TMPDIR": str(self.folder)},
                )
            )
        return self.processes[-1]

    def worker(self, nanny="--nanny", *options):
        return self.start(
            "worker",
            self.address,
            nanny,
            "--nthreads",
            "1",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
            "--local-directory",
            str(self.folder),
            "--death-timeout",
            "60",
            *options,
        )

    def said(self):
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def close(self):
        """Ends the workers before the scheduler: one that loses it while it ends waits until it is killed."""
        scheduler, *workers = self.processes
        for processes in (workers, [scheduler]):
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def start(evaluator, cluster, scan, **options):
    return evaluator(scan, options=["--executor", "dask", "--scheduler", cluster.address], **options)


def begun(folder):
    """The points that have begun, each with the scratch folder of the pool that runs it."""
    if not (folder / "begun").exists():
        return []
    return [line.split() for line in (folder / "begun").read_text().splitlines()]
