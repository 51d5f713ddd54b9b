"""Prepares the folder and file of a Unix socket, and explains why an address cannot be used."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from scanspec import Address, UsageError


@contextlib.contextmanager
def place_of(address: Address) -> Iterator[None]:
    """A context that prepares the folder of a Unix socket. It does nothing for other addresses. Raises UsageError.

    If the socket's folder is missing, it is made for this user alone, and removed afterwards. Only this user can use
    sockets that are bound meanwhile.
    """
    if not address.path:
        yield
        return
    path = Path(address.path)
    _clear(path, address)
    made = not path.parent.exists()
    if made:
        try:
            path.parent.mkdir(0o700)
        except OSError as error:
            raise UsageError(
                f"--listen {address}: {path.parent}: {error.strerror}", next_step="choose a folder that can be made"
            ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def _clear(path: Path, address: Address) -> None:
    """Removes a socket that nobody listens on any more. gRPC itself would remove any socket, even one in use."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(
            f"--listen {address}: {path} is there already, and is not a socket", next_step="choose another path"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.settimeout(2.0)
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise UsageError(
                f"--listen {address}: {path} is there already ({error.strerror})", next_step="choose another path"
            ) from error
    raise UsageError(
        f"--listen {address}: another program listens there already", next_step="stop it, or choose another path"
    )


def why_not(address: Address) -> UsageError:
    """An error, to be raised, that says why an address could not be used and what to do."""
    why, what_to_do = _why_not(address)
    return UsageError(f"--listen {address}: {why}", next_step=what_to_do)


def _why_not(address: Address) -> tuple[str, str]:
    if address.path:
        return "no socket can be made there", "choose a folder in which you may write"
    try:
        found = socket.getaddrinfo(address.host.strip("[]"), address.port, type=socket.SOCK_STREAM)
    except OSError:
        return f"there is no machine {address.host!r}", "listen on 127.0.0.1, or on 0.0.0.0 for all"
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.bind(where)
            except OSError as error:
                return _reason(error, address)
    return "cannot be listened on", f"take a free port with `--listen {address.host}:0`"


def _reason(error: OSError, address: Address) -> tuple[str, str]:
    free = f"take a free port with `--listen {address.host}:0`"
    if error.errno == errno.EADDRINUSE:
        why = "another program listens there already, perhaps an evaluator that was not stopped"
        return why, f"stop it, or {free}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address.host} is not an address of this machine", "listen on 127.0.0.1"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "this user may not listen there", "take a port from 1024 to 65535"
    return error.strerror or str(error), free
