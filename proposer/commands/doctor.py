"""`lodescan doctor`: checks an installation and its surroundings, and says how to correct errors."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
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

PACKAGES = (
    "torch",
    "numpy",
    "scikit-learn",
    "scipy",
    "imbalanced-learn",
    "pandas",
    "cma",
    "grpcio",
    "matplotlib",
    "rich",
)
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
    for name in PACKAGES:
        try:
            yield Finding(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "is not installed", "pip install '.[proposer]' in the clone")
    yield Finding("cores", str(len(os.sched_getaffinity(0))))
    yield _disk()
    yield _locks()
    environments = sorted(path.parents[1].name for path in Path(sys.prefix).parent.glob("*/bin/lodescan-evaluator"))
    others = [environment for environment in environments if environment != Path(sys.prefix).name]
    cure = "" if others else "`make scan SCAN=FILE` makes the environment of a scan file"
    yield Finding("environments of evaluators", ", ".join(others) or "none besides this one", cure)
    yield _sockets()
    if address is not None:
        yield _evaluator(address, security)


def _disk() -> Finding:
    folder = Path("runs") if Path("runs").exists() else Path()
    free = shutil.disk_usage(folder).free
    cure = "" if free > LEAST_ROOM else "make room"
    return Finding("disk", f"{free / 1e9:.1f} GB free at {folder.resolve()}", cure)


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
