"""The folder of a run: its lock, and the type of its file system."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

from proposer.run.files import DatasetError, NoPlainFile, not_written, open_plain

log = logging.getLogger(__name__)

__all__ = ["DatasetError", "FolderInUse", "FolderLock", "file_system", "journal_mode"]

PAGE = "report.html"
"""The report in the folder of a run."""

# file systems without reliable memory sharing between processes, which WAL needs; all fuse.* count, too
_NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "fhgfs",
        "panfs",
        "pvfs2",
        "orangefs",
        "gfs2",
        "ocfs2",
        "glusterfs",
        "9p",
        "virtiofs",
        "fakeowner",
        "davfs",
        "vboxsf",
        "prl_fs",
        "acfs",
    }
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.ntfs", "fuse.ext4"})


# files that may be in the folder of a run that has not started
_OWN = {"lock", "lost+found", *(f"dataset.sqlite{end}" for end in ("", "-wal", "-shm", "-journal"))}

# files that older versions wrote before a run had started
_OF_A_START = {"manifest.json", "scan.yaml", "scan.yml", "scan.json"}


class FolderInUse(DatasetError):
    """Another process works on the folder."""


class FolderLock:
    """Locks a folder for this process; the kernel releases the lock when the process dies.

    Makes the folder if needed. The file `lock` names the process that holds it. The folder itself is locked, too, if
    the file system supports that, so that nobody else can enter if the file is removed. Raises FolderInUse, which names
    the holder, and DatasetError if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._folder = self._file = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._file = open_plain(self._folder, "lock", os.O_RDWR | os.O_CREAT)
            self._hold(folder)
            os.truncate(self._file, 0)
            os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BaseException as error:
            self._close()
            if isinstance(error, NoPlainFile):
                raise DatasetError(
                    f"{self._path}: {error}", next_step="remove it, and the same command goes on"
                ) from error
            if isinstance(error, OSError):
                raise not_written(folder, error) from error
            raise

    def _hold(self, folder: Path) -> None:
        holder = os.pread(self._file, 200, 0).decode(errors="replace").strip() or "another process"
        self._alone = True
        for descriptor in (self._file, self._folder):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUse(
                    f"{folder}: in use by {holder}", next_step="wait for it, stop it, or choose another folder"
                ) from None
            except OSError as error:
                self._alone = False
                if descriptor == self._file:
                    log.warning(
                        "%s: no locks on this file system (%s); let only one process work there", folder, error.strerror
                    )

    def check(self) -> None:
        """Raises DatasetError if this process may have lost the folder."""
        if not self._alone and not _is_at(self._path, self._file):
            raise DatasetError(
                f"{self._path}: was removed or replaced, so another process may work in the folder",
                next_step="make sure that no other process does, then start again: all stored results are kept",
            )

    @property
    def is_in_place(self) -> bool:
        """Whether the folder is still where it was: somebody may have moved it away, and put another one there."""
        try:
            there, ours = os.stat(self._path.parent), os.fstat(self._folder)
        except OSError:
            return False
        return os.path.samestat(there, ours)

    def release(self) -> None:
        """Releases the folder and empties the lock file."""
        with suppress(OSError):  # perhaps the disk is full; the text is only for people, the kernel has the lock
            os.truncate(self._file, 0)
        self._close()

    def _close(self) -> None:
        for descriptor in (self._file, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._folder = -1


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        there, ours = os.stat(path, follow_symlinks=False), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def is_held(folder: Path) -> bool:
    """Whether a process works on a run, by the text in its file `lock`. Trying the lock would disturb a scan that is
    about to take it. A process of another machine counts as running.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            holder = (file.read(200) or b"").decode(errors="replace")
    except OSError:
        return False
    words = re.fullmatch(r"process (\d+) on (.*)\n", holder)
    if words is None or words[2] != socket.gethostname():
        return words is not None
    return Path(f"/proc/{words[1]}").exists()


def check_no_foreign_files(folder: Path) -> None:
    """Raises DatasetError if a new run's folder has other files, because the run might overwrite some of them."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # the folder does not exist yet, or cannot be read, which the lock reports
        return
    own = _OWN | (_OF_A_START if {"dataset.sqlite", "manifest.json"} <= set(names) else set())
    found = sorted(name for name in names if name not in own and not name.startswith("."))
    if found:
        raise DatasetError(
            f"{folder}: holds files but no run ({', '.join(found[:3])}{', ...' if found[3:] else ''}), "
            "and a scan would write among them",
            next_step="choose a new or empty folder",
        )


def journal_mode(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """WAL on a local disk. DELETE, with a note in the log, on file systems that several machines may share."""
    kind = file_system(folder, mounts)
    if kind not in _NETWORK and (not kind.startswith("fuse.") or kind in _LOCAL_FUSE):
        return "WAL"
    log.warning("%s is on a network file system (%s): the dataset is written without WAL, so slower", folder, kind)
    return "DELETE"


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of a folder's file system, such as ext4 or nfs4; "" where it is unknown."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    path, best, kind = folder.resolve(), -1, ""
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        depth = len(point.parts)
        if depth >= best and path.is_relative_to(point):  # a later mount on the same point hides the earlier one
            best, kind = depth, fields[2]
    return kind
