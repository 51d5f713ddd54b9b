"""Writes files in the folder of a run, each completely or not at all, and never through a link."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from scanspec import LodescanError


class DatasetError(LodescanError, RuntimeError):
    """The dataset of a run cannot be read or written; the message names the file."""


class NoRoom(DatasetError):
    """The disk is full, or a limit on the size of files is reached. The exit code is EX_IOERR of sysexits.h."""

    exit_code = 74


class NoAnswers(DatasetError):
    """No point of the run has an answer yet."""


START = "`lodescan scan FILE` starts a run"
WAIT = "wait for the first results"
REPORT = "this is a fault of lodescan: please report it, with the folder"
"""Next steps of several errors."""


NO_ROOM_LEFT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)

_LINK = "is a link or no plain file, which lodescan does not write to"
_REMOVE = "remove it, and the same command goes on"


class NoPlainFile(Exception):
    """The path of a file to write is a link, or not a plain file."""


def open_plain(folder: int, name: str, flags: int) -> int:
    """Opens a plain file in a folder, without following links. Raises NoPlainFile."""
    try:
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise NoPlainFile(_LINK) from error
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise NoPlainFile(_LINK)
    return descriptor


def not_written(path: Path, error: OSError) -> DatasetError:
    if error.errno in NO_ROOM_LEFT:
        return NoRoom(
            f"{path}: cannot be written ({error.strerror})",
            next_step="make room on the disk, then give the same command again: all stored results are kept",
        )
    what_to_do = "choose another folder, or move away what is there"
    if error.errno in _NOT_ALLOWED:
        what_to_do = (
            "choose another folder, or change who may write there "
            f"(this process is user {os.getuid()}; for compose that is LODESCAN_USER)"
        )
    return DatasetError(f"{path}: cannot be written ({error.strerror})", next_step=what_to_do)


@contextmanager
def writing(run: Path, name: str, *, append: bool = False) -> Iterator[BinaryIO]:
    """Opens a file of a run for writing. `name` is relative to the run's folder, and may contain folders.

    The file replaces the old one when it is complete and on the disk; with `append` it is written in place, and
    what was added is removed again if an error occurs. No link in the folder is followed. Raises DatasetError, which
    names the file.
    """
    *folders, last = Path(name).parts
    parent = -1
    try:
        parent = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for folder in folders:
            child = _enter(parent, folder)
            os.close(parent)
            parent = child
        if append:
            with _appending(open_plain(parent, last, os.O_WRONLY | os.O_APPEND)) as file:
                yield file
            return
        with suppress(FileNotFoundError):
            os.unlink(f"{last}.new", dir_fd=parent)
        try:
            with open(open_plain(parent, f"{last}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{last}.new", last, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(OSError):  # a remaining file would waste space
                os.unlink(f"{last}.new", dir_fd=parent)
            raise
    except NoPlainFile as error:
        raise DatasetError(f"{run / name}: {error}", next_step=_REMOVE) from error
    except OSError as error:
        raise not_written(run / name, error) from error
    finally:
        if parent >= 0:
            os.close(parent)


@contextmanager
def _appending(descriptor: int) -> Iterator[BinaryIO]:
    """Writes at the end of a file, and closes it. An error, as of a full disk, leaves the file as it was."""
    try:
        size = os.fstat(descriptor).st_size
        try:
            # closed before the descriptor, as closing still writes what is in the buffer
            with open(descriptor, "ab", closefd=False) as file:
                yield file
        except BaseException:
            with suppress(OSError):  # a smaller file needs no room
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def check_no_link(path: Path, next_step: str = _REMOVE) -> None:
    """Raises DatasetError for a link, because a run would write outside its folder."""
    if path.is_symlink():
        raise DatasetError(f"{path}: {_LINK}", next_step=next_step)


def _enter(parent: int, name: str) -> int:
    """Opens a folder in a folder, and makes it if needed."""
    try:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NoPlainFile(f"{name} is a link or no folder, which lodescan does not write to; remove it") from error
        raise


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run; empty if there is no such file. Raises DatasetError."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})", next_step=_REMOVE) from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path}: is not a JSON object", next_step=_REMOVE)
    return found
