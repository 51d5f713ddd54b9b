"""`lodescan doctor`: checks an installation and its surroundings, and says how to correct errors."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proposer.evaluation.backend import EvaluatorRefused, NoEvaluator
from proposer.run.files import DatasetError
from proposer.run.folder import FolderLock
from proposer.wire.pool import Pool
from proposer.wire.security import NotSecure, Security
from scanspec import VERSION, UsageError
from scanspec.raised import what_was_raised

PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "imbalanced-learn": "imblearn",
    "pandas": "pandas",
    "cma": "cma",
    "grpcio": "grpc",
    "matplotlib": "matplotlib",
    "rich": "rich",
}
"""The packages that a scan needs, and the module that each one provides."""

REINSTALL = "pip install --force-reinstall '.[proposer]' in the clone"
NOBODY = 1
"""The exit code of `lodescan-evaluator healthy` if no evaluator answers."""

LONGEST_START = 60.0
"""Seconds after which an evaluator's program counts as broken."""

LEAST_ROOM = 10**9
"""Bytes. With less free space on the disk, a scan may end soon."""


@dataclass(frozen=True)
class Finding:
    """The result of a check. `cure` says what to do; it is empty if there is no error."""

    what: str
    found: str
    cure: str = ""


def doctor(address: str | None, *, security: Security) -> int:
    """Prints a line for each check. Returns 1 if there is an error, else 0."""
    findings = list(_look(address, security))
    for finding in findings:
        print(
            f"{'mend' if finding.cure else 'ok  '}  {finding.what}: {finding.found}"
            + (f"; {finding.cure}" if finding.cure else "")
        )
    return int(any(finding.cure for finding in findings))


def _look(address: str | None, security: Security) -> Iterator[Finding]:
    yield Finding("lodescan", f"{VERSION}, Python {platform.python_version()}, {sys.prefix}")
    for name, module in PACKAGES.items():
        yield _package(name, module)
    yield Finding("cores", str(len(os.sched_getaffinity(0))))
    yield _disk()
    yield _locks()
    yield from _environments()
    yield _sockets()
    if address is not None:
        yield _evaluator(address, security)


def _package(name: str, module: str) -> Finding:
    """Imports a package, because its files may be damaged, or built for other versions of its own packages."""
    try:
        version = importlib.metadata.version(name)
        importlib.import_module(module)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "is not installed", "pip install '.[proposer]' in the clone")
    except Exception as error:  # noqa: BLE001  # damaged files raise anything
        return Finding(name, f"{version}, but cannot be imported: {what_was_raised(error)}", REINSTALL)
    return Finding(name, version)


def _environments() -> Iterator[Finding]:
    """Starts the evaluator's program of each environment beside this one."""
    here = Path(sys.prefix)
    programs = [path for path in sorted(here.parent.glob("*/bin/lodescan-evaluator")) if path.parents[1] != here]
    found, what = [], "environments of evaluators"
    for path in programs:
        folder = path.parents[1]
        if (why := _why_no_start(path)) is None:
            found.append(folder.name)
        else:
            cure = f"remove {folder}, and make it anew in the clone: tools/environment.sh {folder.name}"
            yield Finding(f"environment {folder.name}", f"its evaluator does not start: {why}", cure)
    cure = "" if found else "`make scan SCAN=FILE` makes the environment of a scan file"
    yield Finding(what, ", ".join(found) or "none besides this one", cure)


def _why_no_start(program: Path) -> str | None:
    """Why an evaluator's program does not work; None if it does. It asks at a place where nobody listens."""
    command = [str(program), "healthy", "unix:/dev/null"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_START, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.strip().splitlines()
    return None if done.returncode == NOBODY else said[-1] if said else f"exit code {done.returncode}"


def _disk() -> Finding:
    folder = Path("runs") if Path("runs").exists() else Path()
    free = shutil.disk_usage(folder).free
    cure = "" if free > LEAST_ROOM else "make room"
    room = f"{free / 1e9:.1f} GB" if free > LEAST_ROOM else f"{free / 1e6:.1f} MB"
    return Finding("disk", f"{room} free at {folder.resolve()}", cure)


def _locks() -> Finding:
    """Checks that files can be locked here. Some network file systems do not support this."""
    try:
        with tempfile.TemporaryDirectory(dir=".", prefix=".lodescan-doctor-") as folder:
            lock = FolderLock(Path(folder))
            lock.release()
    except (OSError, DatasetError) as error:
        return Finding("locks", str(error), "scan in a folder that you may write in")
    return Finding("locks", "this folder can be written and locked")


def _sockets() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return Finding("loopback", str(error), "use --listen unix:PATH, or `lodescan run`")
    return Finding("loopback", "ports can be opened")


def _evaluator(address: str, security: Security) -> Finding:
    what, said = f"evaluator at {address}", list[str]()
    try:
        evaluator = Pool([address], security=security, say=said.append)
        try:
            found = evaluator.describe(0.0)  # it has a few seconds to answer; if nobody listens, this is said at once
        finally:
            evaluator.close()
    except (NoEvaluator, EvaluatorRefused, NotSecure, UsageError) as error:
        return Finding(what, "; ".join([*said, error.message]), error.next_step)
    return Finding(what, f"{found.backend}, {found.version}, {found.concurrency} points at once")
