"""Finds evaluators: at an address, at all addresses of a name, or in a folder where they announce themselves."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proposer.wire.security import Security
from scanspec import Address, AddressError, UsageError, read_address

LOOK_EVERY = 2.0
"""Seconds between two looks at a name or a folder. A new evaluator then has points within 5 s."""

LARGEST_FILE = 1000
"""The most bytes of a file that announces an evaluator."""


@dataclass(frozen=True)
class Place:
    """One `--evaluator`: an address, or a name or a folder that is looked up again and again."""

    text: str
    address: Address | None = None
    name: Address | None = None
    folder: Path | None = None

    def look(self) -> dict[Address, str]:
        """The present addresses, each with the name in its certificate ("" if that is the address itself)."""
        if self.address is not None:
            return {self.address: ""}
        if self.name is not None:
            return dict.fromkeys(_resolve(self.name), self.name.host)
        return dict.fromkeys(_announced(self.folder), "") if self.folder is not None else {}


def read_place(text: str, security: Security) -> Place:
    """Reads HOST:PORT, unix:PATH, dns:///NAME:PORT or dir:FOLDER. Raises UsageError, and NotSecure for an address on
    another machine without a secure connection.
    """
    if text.startswith("dir:"):
        folder = text.removeprefix("dir:")
        if not folder or "\0" in folder:
            raise UsageError(f"--evaluator {text!r} names no folder", next_step="write dir:FOLDER")
        if os.path.exists(folder) and not (os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK)):
            raise UsageError(
                f"--evaluator {text}: it is not a folder that you may read",
                next_step="name the folder of `lodescan-evaluator serve --announce FOLDER`",
            )
        return Place(text, folder=Path(folder))
    is_name = text.startswith("dns:///")
    try:
        address = read_address(text.removeprefix("dns:///"))
    except AddressError as error:
        raise UsageError(f"--evaluator {error.message}", next_step=error.next_step) from None
    security.require_for(address)
    return Place(text, name=address) if is_name else Place(text, address=address)


def _resolve(name: Address) -> set[Address]:
    try:
        found = socket.getaddrinfo(name.host.strip("[]"), name.port, type=socket.SOCK_STREAM)
    except OSError:  # the name has no address now
        return set()
    hosts = {str(entry[4][0]) for entry in found}
    return {Address(f"[{host}]" if ":" in host else host, name.port) for host in hosts}


def _announced(folder: Path) -> set[Address]:
    """The addresses in the folder's files, one per file. Unreadable files are skipped, because they may be
    incomplete.
    """
    found = set()
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # the first evaluator makes the folder
        return set()
    for file in files:
        try:
            if file.is_file():
                with file.open("rb") as content:
                    found.add(read_address(content.read(LARGEST_FILE).decode().split("\n")[0].strip()))
        except (OSError, UnicodeDecodeError, AddressError):
            continue
    return found


class Watch:
    """Looks at places again and again in a thread of its own, and calls `changed` with the new addresses."""

    def __init__(self, places: Sequence[Place], changed: Callable[[dict[Address, str]], None]) -> None:
        self._places, self._changed = places, changed
        self._closed = threading.Event()
        self._before: dict[Address, str] | None = None
        if all(place.address is not None for place in places):
            self._look()
        else:
            threading.Thread(target=self._run, name="addresses", daemon=True).start()

    def _run(self) -> None:
        self._look()
        while not self._closed.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        found = {address: name for place in self._places for address, name in place.look().items()}
        if found != self._before:
            self._before = found
            self._changed(found)

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
