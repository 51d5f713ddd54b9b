"""Addresses of evaluators, for both sides: HOST:PORT, or unix:PATH for a Unix socket."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import quote

from scanspec.errors import LodescanError, UsageError

DEFAULT_ADDRESS = "127.0.0.1:50051"

LONGEST_PATH = 107
"""The most bytes of a Unix socket's path on Linux."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"  # the system cannot look up longer or empty labels
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_HOW = f"write HOST:PORT, for example {DEFAULT_ADDRESS}, or unix:PATH"


class AddressError(LodescanError, ValueError):
    """A text is not an address; the message says why."""

    next_step = _HOW


@dataclass(frozen=True)
class Address:
    """An address: the `path` of a Unix socket, or host and port."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"

    @property
    def target(self) -> str:
        """The address as a URI for gRPC, which would take a host before a colon for the scheme of a URI."""
        return f"unix:{quote(self.path)}" if self.path else f"dns:///{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether the address can only mean this machine."""
        if self.path or self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def read_address(text: str, *, any_port: bool = False) -> Address:
    """Reads an address. Port 0, which means any free port, is allowed only with `any_port`. Raises AddressError."""
    if text.startswith("unix:"):
        return _read_path(text)
    if "," in text or re.search(r":\d+\s+\S", text):
        raise AddressError(f"{text!r:.200} is not one address; several are separate arguments, without commas")
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port:
        raise AddressError(f"{text!r} is not an address")
    if "://" in text:
        raise AddressError(f"{text!r} is not an address; write it without {text.partition('://')[0]}://")
    if ":" in host.strip("[]") and not (host.startswith("[") and host.endswith("]")):
        raise AddressError(f"{text!r} is not an address; an IPv6 address stands in brackets, as in [::1]:50051")
    if not _is_host(host):
        raise AddressError(f"{text!r} is not an address: {host!r} cannot be a machine's name")
    if not re.fullmatch("[0-9]+", port):
        raise AddressError(f"{text!r} is not an address: {port!r} is not a port, a whole number from 1 to 65535")
    if len(port) > 20 or int(port) > 65535:
        raise AddressError(f"{text:.80}: there is no port {port:.40}; the largest one is 65535")
    if not int(port) and not any_port:
        raise AddressError(f"{text}: port 0 is not a port; give the port that the evaluator prints at its start")
    return Address(host, int(port))


def read_http_address(option: str, where: str, example: str) -> Address:
    """Reads HOST:PORT of an HTTP server, or a PORT of loopback; port 0 means any free port. Raises UsageError."""
    try:
        address = read_address(f"127.0.0.1:{where}" if where.isdecimal() else where, any_port=True)
    except AddressError as error:
        raise UsageError(f"{option} {error.message}", next_step=f"write HOST:PORT, for example {example}") from None
    if address.path:
        raise UsageError(f"{option} {where} is not HOST:PORT", next_step=f"write for example {example}")
    return address


def _is_host(host: str) -> bool:
    if host.startswith("["):
        try:
            return ipaddress.ip_address(host[1:-1]).version == 6
        except ValueError:
            return False
    return is_host_name(host)


def is_host_name(text: str) -> bool:
    """Whether the system can look up a text as the name of a machine; an IPv4 address is such a text, too."""
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def _read_path(text: str) -> Address:
    path = text.removeprefix("unix:").removeprefix("//")  # unix:///a/b is /a/b
    if not path or path.endswith("/") or not path.isprintable():
        raise AddressError(f"{text!r} names no file", next_step="write unix:PATH, for example unix:/tmp/me/wire")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise AddressError(
            f"{text}: the path of a Unix socket has at most {LONGEST_PATH} bytes, and this one has "
            f"{len(os.fsencode(path))}; choose a shorter folder, or a path relative to this one"
        )
    return Address("", 0, path)
