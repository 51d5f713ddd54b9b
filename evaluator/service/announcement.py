"""`serve --announce FOLDER`: a file in a shared folder says where this evaluator listens while it takes points."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

from evaluator.errors import ConfigurationError
from scanspec import Address

SUFFIX = ".evaluator"
"""The suffix of these files. Files whose names begin with a dot are still being written."""

ANY_HOST = ("0.0.0.0", "[::]")  # noqa: S104  # nothing is bound here


@contextlib.contextmanager
def announced(folder: Path | None, address: Address) -> Iterator[None]:
    """Writes FOLDER/HOST-PID-NUMBER.evaluator, one line with the address, and removes it at the end.

    The file appears complete or not at all. With None, nothing is announced. Raises ConfigurationError.
    """
    if folder is None:
        yield
        return
    host = socket.gethostname()
    path = folder / f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, f"{reachable(address, host)}\n")
    except OSError as error:
        raise ConfigurationError(
            f"--announce {folder}: {error.strerror or error}; name a folder that both sides can write"
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def reachable(address: Address, host: str) -> str:
    """An address as other machines know it. `host`, the name of this machine, replaces an address that means all of its
    own.
    """
    if address.path:
        return f"unix:{Path(address.path).absolute()}"
    return f"{host if address.host in ANY_HOST else address.host}:{address.port}"


def write_whole(path: Path, text: str) -> None:
    """Writes a file that other processes and machines see complete or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, path)
