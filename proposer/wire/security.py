"""TLS and tokens on the proposer's side: connects to evaluators, and explains connections that fail."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from scanspec import Address
from scanspec.handshake import Handshake, NotSecure
from scanspec.text import quoted

__all__ = ["PLAIN", "NotSecure", "Security", "read_token"]


@dataclass(frozen=True, kw_only=True)
class Security:
    """The security of connections: TLS if there is `ca`, the authorities of the evaluators' certificates (PEM), else
    plain text. `cert` and `key` are this side's own; `token_file` holds the token that the evaluators ask for.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token_file: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """Raises NotSecure if files are missing or cannot be used."""
        if (self.cert is None) is not (self.key is None):
            raise NotSecure("--tls-cert and --tls-key go together")
        if self.ca is None and (self.cert is not None or self.token_file is not None):
            raise NotSecure(
                "--tls-ca is missing: without it the evaluator cannot be known, and neither certificate nor token "
                "are sent in plain text"
            )
        if self.ca is not None:
            self.handshake.context()
        if self.token_file is not None:
            read_token(self.token_file)

    def require_for(self, address: Address) -> None:
        """Raises NotSecure for an address on another machine if one side could not know who the other is."""
        if address.is_local or self.insecure:
            return
        if self.ca is None:
            raise NotSecure(
                f"{address} is another machine, and the connection is plain text without a password; give --tls-ca, "
                "and --tls-cert with --tls-key or --token-file (`lodescan certificates DIR` makes them), or say "
                "--insecure on a private network"
            )
        if self.cert is None and self.token_file is None:
            raise NotSecure(
                f"{address} is another machine, which cannot know who asks it: give --tls-cert and --tls-key, or "
                "--token-file, or say --insecure on a private network"
            )

    def channel(self, address: Address, options: Sequence[tuple[str, Any]]) -> grpc.Channel:
        """A new channel, with the present content of the files (see `stamp`). Raises NotSecure."""
        if self.ca is None or address.path:  # only this user can reach a Unix socket
            return grpc.insecure_channel(address.target, options)
        self.handshake.context()  # raises NotSecure for unusable files
        try:
            credentials = grpc.ssl_channel_credentials(
                self.ca.read_bytes(),
                self.key.read_bytes() if self.key is not None else None,
                self.cert.read_bytes() if self.cert is not None else None,
            )
        except OSError as error:  # a file is being replaced
            raise NotSecure(f"{error.filename}: {error.strerror}") from error
        if self.token_file is not None:
            token = grpc.metadata_call_credentials(_Token(self.token_file))
            credentials = grpc.composite_channel_credentials(credentials, token)
        return grpc.secure_channel(address.target, credentials, options)

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """A value that changes with the files. A channel cannot read its files again, so a new one is due then."""
        found = []
        for path in (self.ca, self.cert, self.key):
            if path is not None:
                try:
                    status = path.stat()
                except OSError:  # the file is being replaced
                    continue
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)

    @property
    def handshake(self) -> Handshake:
        """A handshake with these files, which finds out what is wrong with them or with a server."""
        return Handshake(self.ca, self.cert, self.key)

    def fault(self, address: Address, name: str = "") -> str:
        """What is wrong with the connection, as Handshake.fault says it. Unusable files are a fault, too, and raise no
        error, because somebody may be replacing them at this moment.
        """
        try:
            return self.handshake.fault(address, name)
        except NotSecure as error:
            return str(error)


PLAIN = Security()
"""Plain text, which is allowed only on this machine."""


def read_token(path: Path) -> str:
    """The token in a file. Raises NotSecure if other users can read the file, or it holds no token."""
    try:
        status = os.stat(path)
        text = path.read_bytes().strip().decode("latin-1")
    except OSError as error:
        raise NotSecure(f"--token-file {path}: {error.strerror}") from error
    # a Secret that Kubernetes mounts belongs to root, and the group of the pod can read it
    is_mounted = status.st_uid == 0 != os.geteuid()
    if stat.S_IMODE(status.st_mode) & (0o037 if is_mounted else 0o077):
        raise NotSecure(f"--token-file {path}: others can read it; `chmod 600 {quoted(path)}`, and make a new token")
    if not text or not all("\x20" < char < "\x7f" for char in text):  # what a header of HTTP/2 can carry as one word
        raise NotSecure(f"--token-file {path}: a token is one word of ASCII characters that can be printed")
    return text


class _Token(grpc.AuthMetadataPlugin):
    """Adds the token to each call, as it is in the file at that time."""

    def __init__(self, path: Path) -> None:
        self._path, self._token = path, read_token(path)

    def __call__(self, context: Any, callback: Any) -> None:
        with contextlib.suppress(NotSecure):  # the file is being replaced: the old one is still good
            self._token = read_token(self._path)
        callback((("authorization", f"Bearer {self._token}"),), None)
