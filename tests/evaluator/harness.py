"""A real evaluator in its own process, and what is left of it afterwards."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import uuid
import zipfile
from pathlib import Path

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from scanspec import read_address
from tests.evaluator.serving import ServeProcess, wait_until

DATA = Path(__file__).parent.parent / "data"
PROGRAMS = DATA / "programs"
EXAMPLES = DATA.parent.parent / "examples"
TAG = "LC_LODESCAN_TEST"  # a variable that is passed on to programs too


def alive(tag):
    """The ids of the processes whose environment has this tag."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{TAG}={tag}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


class Evaluator(ServeProcess):
    """An evaluator of this environment with its own folder for temporary files, and a stub that calls it."""

    def __init__(self, folder, scan, *, workers=1, options=(), environment=None, start=60.0, before=""):
        self.folder, self.tag = folder, uuid.uuid4().hex
        self.processes = 0  # how many there are while no point runs; set by tests that need it
        self.temporary = folder / f"tmp-{self.tag[:6]}"
        self.temporary.mkdir()
        super().__init__(
            scan,
            folder / f"log-{self.tag[:6]}",
            options=[*([] if workers is None else ["--workers", str(workers)]), *options],
            variables={"TMPDIR": str(self.temporary), TAG: self.tag, **(environment or {})},
            before=before,
            patience=start,
        )
        self.channel = grpc.insecure_channel(read_address(self.address).target)
        self.stub = pb_grpc.EvaluationServiceStub(self.channel)
        self.names = [parameter.name for parameter in self.describe().parameters]

    def describe(self):
        return self.stub.Describe(pb.DescribeRequest(), timeout=60.0)

    def request(self, points, first_id=0, names=None):
        """The request for one batch; `points` are rows in the order of `names`."""
        return pb.EvaluateRequest(
            parameters=self.names if names is None else names,
            point_ids=range(first_id, first_id + len(points)),
            values=[float(value) for row in points for value in row],
        )

    def evaluate(self, points, timeout=60.0):
        """The results of a batch, in order."""
        found = {}
        for response in self.stub.Evaluate(iter([self.request(points)]), timeout=timeout):
            for result in response.results:
                assert result.point_id not in found
                found[result.point_id] = result
        assert sorted(found) == list(range(len(points)))
        return [found[number] for number in sorted(found)]

    def statuses(self, points, timeout=60.0):
        return [pb.Status.Name(result.status).removeprefix("STATUS_") for result in self.evaluate(points, timeout)]

    def workers(self):
        """The processes that can run a point: children of the fork server with their own pipes."""
        return [
            pid
            for pid in alive(self.tag)
            if pid != self.process.pid and _session(pid) == pid and "forkserver" in _command(pid)
        ]

    def programs(self, name):
        return [pid for pid in alive(self.tag) if _command(pid).startswith(name)]

    def scratch(self):
        return sorted(self.temporary.glob("lodescan-*"))

    def nothing_left(self):
        """Whether no process and no scratch file of this evaluator is left; waits for it."""
        return wait_until(lambda: not alive(self.tag) and not self.scratch())

    def terminate(self, seconds=60.0):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self):
        self.channel.close()
        self.stop()
        wait_until(lambda: not alive(self.tag), 10)
        for pid in alive(self.tag):  # only this evaluator's processes have its tag
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def environment_of(example):
    """The environment that an example names. Reads only that key, because every test asks for it at collection."""
    named = re.search(r"\benvironment: ([\w-]+)", example.read_text())
    return named[1] if named else "evaluator"


def write_scan(folder, function, variable):
    """Writes a scan of x and another variable, with a function of data/codes.py, into a folder; returns its file."""
    shutil.copy(DATA / "codes.py", folder)
    scan = folder / "scan.yaml"
    scan.write_text(
        f"variables: {{x: [-5, 5], {variable}: [0, 1000]}}\n"
        f"codes: {{toy: {{function: codes:{function}, timeout: 900, observables: {{y: {{mean: 1, sigma: 2}}}}}}}}\n"
    )
    return scan


def write_slow(folder):
    """Writes a scan whose points sleep for `pause` seconds."""
    return write_scan(folder, "slow_square", "pause")


class Gated(Evaluator):
    """An evaluator whose points with `held` = 1 wait until the test releases them; the others take no time."""

    def __init__(self, folder, **options):
        super().__init__(folder, write_scan(folder, "gated", "held"), **options)

    def began(self, x):
        """Whether the held point with this x has begun; waits for it."""
        return wait_until((self.folder / f"began-{x}").exists)

    def let_go(self, x):
        (self.folder / f"go-{x}").touch()


def values(server, rows):
    return [next(iter(result.observables)) for result in server.evaluate(rows)]


def install_kind(where, python="", *, package="lodescan-rows", key="nearest_row", text=""):
    """Installs the package of data/kind_of_a_package.py, or another `text`, into its own folder: with the pip of
    `python`, or, in less time, by writing the files that pip would write.
    """
    module = package.replace("-", "_")
    info = f"{module}-1.2.3.dist-info"
    where.mkdir(exist_ok=True)
    wheel = where.with_name(f"{module}-1.2.3-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{module}.py", text or (DATA / "kind_of_a_package.py").read_text())
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[lodescan.codes]\n{key} = {module}:NearestRow\n")
        archive.writestr(f"{info}/RECORD", "")
    if not python:
        zipfile.ZipFile(wheel).extractall(where)
        return
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(where)]
    subprocess.run([*pip, str(wheel)], check=True, timeout=60)


def answer_rows(scan, rows, start=60.0):
    """Evaluates recorded rows with a server that must end cleanly; gives the results in their order, and the names of
    the observables.
    """
    server = Evaluator(scan.parent, scan, workers=2, start=start)
    try:
        names = [observable.name for observable in server.describe().observables]
        results = server.evaluate([[float(row[name]) for name in server.names] for row in rows], timeout=200)
        assert server.terminate() == 0
        assert server.nothing_left()
    finally:
        server.close()
    return results, names


def _session(pid):
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
