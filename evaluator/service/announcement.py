"""`serve --announce FOLDER`: a file in a shared folder says where this evaluator listens while it takes points."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from evaluator.errors import OptionError
from scanspec import Address

SUFFIX = ".evaluator"
"""The suffix of these files. Files whose names begin with a dot are still being written."""

LOOK_EVERY = 5.0
"""Seconds between two looks whether the file is still there, because a cleaner of old files may remove it."""

ANY_HOST = ("0.0.0.0", "[::]")  # noqa: S104  # nothing is bound here


@contextlib.contextmanager
def announced(folder: Path | None, address: Address) -> Iterator[None]:
    """Writes FOLDER/HOST-PID-NUMBER.evaluator, one line with the address, and removes it at the end.

    The file appears complete or not at all. If somebody removes it or its folder, it is written again. With None,
    nothing is announced. Raises OptionError.
    """
    if folder is None:
        yield
        return
    host = socket.gethostname()
    path = folder / f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
    text = f"{reachable(address, host)}\n"
    try:
        _write(path, text)
    except OSError as error:
        raise OptionError(
            f"--announce {folder}: {error.strerror or error}; name a folder that both sides can write"
        ) from error
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(path, text, ended), name="announcement", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, text)


def _keep(path: Path, text: str, ended: threading.Event) -> None:
    while not ended.wait(LOOK_EVERY):
        with contextlib.suppress(OSError):  # the next look may succeed
            if not path.exists():
                _write(path, text)


def reachable(address: Address, host: str) -> str:
    """The address under which other machines reach this one. `host`, the name of this machine, replaces an address such
    as 0.0.0.0, which means all addresses of the machine.
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
