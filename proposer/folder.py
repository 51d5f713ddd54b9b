"""The folder of a run: who holds it, and on what kind of file system it lies."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
from pathlib import Path

log = logging.getLogger(__name__)

# where memory shared between processes, which WAL needs, cannot be trusted; every fuse.* counts too
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "fhgfs",
    "panfs", "pvfs2", "orangefs", "gfs2", "ocfs2", "glusterfs", "9p", "virtiofs", "fakeowner", "davfs",
    "vboxsf", "prl_fs", "acfs",
})  # fmt: skip
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.ntfs", "fuse.ext4"})


class DatasetError(RuntimeError):
    """The dataset of a run cannot be read or written; the message names the file and says what to do."""


class FolderInUse(DatasetError):
    """Another process works on the folder."""


class FolderLock:
    """Holds a folder for this process; the kernel lets go of it when the process dies.

    Makes the folder where there is none. Raises FolderInUse, which names the process that
    holds it, and DatasetError when the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DatasetError(
                f"{folder}: cannot be written ({error.strerror}); choose another folder, or change who may write there "
                f"(this process is user {os.getuid()}; for compose that is LODESCAN_USER)"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(self._file)
            raise FolderInUse(f"{folder}: in use by {holder}; wait for it, stop it, or choose another folder") from None
        except OSError as error:
            log.warning(
                "%s: no locks on this file system (%s); let only one process work there", folder, error.strerror
            )
        os.truncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Lets go of the folder."""
        os.close(self._file)


def journal_mode(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """WAL on a local disk; DELETE, with a word in the log, where several machines may see the files."""
    kind = file_system(folder, mounts)
    if kind not in _NETWORK and (not kind.startswith("fuse.") or kind in _LOCAL_FUSE):
        return "WAL"
    log.warning("%s is on a network file system (%s): the dataset is written without WAL, so slower", folder, kind)
    return "DELETE"


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds a folder, such as ext4 or nfs4; "" where nobody knows."""
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
        if depth >= best and path.is_relative_to(point):  # of two mounts on one point the later hides the other
            best, kind = depth, fields[2]
    return kind
