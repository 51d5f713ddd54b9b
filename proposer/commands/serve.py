"""`lodescan serve`: serves a list of runs, and their reports as pages that follow the scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proposer.dashboard.server import Dashboard
from scanspec import LodescanError, UsageError
from scanspec.addresses import read_http_address

DEFAULT = "127.0.0.1:5080"


class NotServed(LodescanError, RuntimeError):
    """The dashboard cannot listen at its address."""


def serve(folders: Sequence[Path], where: str, *, insecure: bool) -> int:
    """Serves until a signal asks for an end, and returns 0. Raises UsageError and NotServed."""
    address = read_http_address("--listen", where, DEFAULT)
    if not (address.is_local or insecure):
        raise UsageError(
            f"--listen {address} is open to other machines, without encryption and without a password",
            next_step="listen on 127.0.0.1 and connect with `ssh -L`, or use --insecure on a private network",
        )
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", next_step="name folders with runs, for example runs")
    try:
        server = Dashboard(address, folders)
    except OSError as error:
        raise NotServed(
            f"--listen {address} cannot be listened on: {error.strerror or error}",
            next_step="choose another port; port 0 picks a free port",
        ) from error
    with server:
        try:
            print(f"{server.url} shows the runs in {', '.join(map(str, folders))}; Ctrl-C ends it", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:  # the normal end
            pass
    return 0
