"""TLS and tokens on the proposer's side: how an evaluator is reached, and what is wrong where it is not.

gRPC says `UNAVAILABLE: Socket closed` for most faults of TLS, and goes on trying; `Security.fault` makes one handshake
by hand and names the fault.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from scanspec import Address, LodescanError

PROBE_SECONDS = 3.0
"""Seconds for a handshake by hand, and for what comes after it."""

_HANDSHAKE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of HTTP/2 begins, with empty settings."""

# of OpenSSL, X509_V_ERR_...
_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64


class NotSecure(LodescanError, ValueError):
    """The connection would not be secure, or a file for it cannot be used; the message says what to do."""

    next_step = "`lodescan certificates DIR` makes certificates and a token for both sides"


@dataclass(frozen=True, kw_only=True)
class Security:
    """How evaluators are reached: in plain text, or by TLS where there is `ca`, the authorities of their certificates
    (PEM). `cert` and `key`: of this side; `token_file`: holds the token that the evaluators ask for.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token_file: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """Raises NotSecure where files are missing or cannot be used."""
        if (self.cert is None) is not (self.key is None):
            raise NotSecure("--tls-cert and --tls-key go together")
        if self.ca is None and (self.cert is not None or self.token_file is not None):
            raise NotSecure(
                "--tls-ca is missing: without it the evaluator cannot be known, and neither certificate nor token "
                "are sent in plain text"
            )
        if self.ca is not None:
            _context(self)
        if self.token_file is not None:
            read_token(self.token_file)

    def require_for(self, address: Address) -> None:
        """Raises NotSecure for an address beyond this machine where either side could be anybody."""
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
        """A new channel. It keeps the files as they are now: see `stamp`. Raises NotSecure."""
        if self.ca is None or address.path:  # a Unix socket is this user's alone
            return grpc.insecure_channel(address.target, options)
        _context(self)  # says what is wrong with the files
        credentials = grpc.ssl_channel_credentials(
            self.ca.read_bytes(),
            self.key.read_bytes() if self.key is not None else None,
            self.cert.read_bytes() if self.cert is not None else None,
        )
        if self.token_file is not None:
            token = grpc.metadata_call_credentials(_Token(self.token_file))
            credentials = grpc.composite_channel_credentials(credentials, token)
        return grpc.secure_channel(address.target, credentials, options)

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """What changes with the files of a channel, which cannot read them again: then a new channel is due."""
        found = []
        for path in (self.ca, self.cert, self.key):
            if path is not None:
                try:
                    status = path.stat()
                except OSError:  # just being replaced
                    continue
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)

    def fault(self, address: Address) -> str:
        """What is wrong with the handshake with an evaluator, in a sentence with what to do; empty when nothing is,
        or nobody listens. Takes up to two times PROBE_SECONDS.
        """
        if address.path:
            return ""
        try:
            plain = socket.create_connection((address.host.strip("[]"), address.port), PROBE_SECONDS)
        except OSError:
            return ""
        with plain:
            plain.settimeout(PROBE_SECONDS)
            try:
                return self._fault_of_tls(plain, address) if self.ca is not None else self._fault_of_plain(plain)
            except OSError:
                return ""

    def _fault_of_plain(self, plain: socket.socket) -> str:
        # a server that speaks plain text begins with its own settings; one that speaks TLS answers with an alert
        plain.sendall(_HANDSHAKE)
        answer = plain.recv(9)
        if answer[:2] == b"\x15\x03" or not answer:
            return "it speaks TLS, and is asked in plain text; give --tls-ca, with the authority of its certificate"
        return ""

    def _fault_of_tls(self, plain: socket.socket, address: Address) -> str:
        try:
            wrapped = _context(self).wrap_socket(plain, server_hostname=address.host.strip("[]"))
        except ssl.SSLCertVerificationError as error:
            return self._fault_of_their_certificate(error, address)
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).upper().replace(" ", "_")
            if any(each in reason for each in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF")):
                return "it speaks plain text, and is asked by TLS; start it with --tls-cert and --tls-key"
            return self._fault_of_our_certificate()
        with wrapped:
            # by TLS 1.3 a client hears only now that its certificate is refused, and gRPC just closes the connection
            try:
                wrapped.sendall(_HANDSHAKE)
                answer = wrapped.recv(9)
            except TimeoutError:
                return ""
            except OSError:
                answer = b""
        return "" if answer else self._fault_of_our_certificate()

    def _fault_of_our_certificate(self) -> str:
        if self.cert is None:
            return "it asks for a client certificate; give --tls-cert and --tls-key"
        return (
            f"it refuses the certificate {self.cert}, which has expired or is not of an authority that it knows; give "
            "both sides files of one `lodescan certificates DIR`"
        )

    def _fault_of_their_certificate(self, error: ssl.SSLCertVerificationError, address: Address) -> str:
        if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
            return (
                f"its certificate is not for {address.host}; ask it by a name that the certificate has, or make one "
                f"with `lodescan certificates DIR --host {address.host}`"
            )
        if error.verify_code == _EXPIRED:
            return "its certificate has expired; make new ones with `lodescan certificates DIR`"
        if error.verify_code == _NOT_YET:
            return "its certificate is not valid yet; are the clocks of both machines right?"
        return (
            f"its certificate is not of the authority in {self.ca} ({error.verify_message}); give both sides files of "
            "one `lodescan certificates DIR`"
        )


PLAIN = Security()
"""Plain text, on this machine alone."""


def read_token(path: Path) -> str:
    """The token in a file that nobody else can read. Raises NotSecure."""
    try:
        status = os.stat(path)
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NotSecure(f"--token-file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotSecure(f"--token-file {path}: a token is one word of ASCII characters") from error
    # a Secret that Kubernetes mounts is root's, and readable by the group of the pod
    is_mounted = status.st_uid == 0 != os.geteuid()
    if stat.S_IMODE(status.st_mode) & (0o037 if is_mounted else 0o077):
        raise NotSecure(f"--token-file {path}: others can read it; `chmod 600 {path}`, and make a new token")
    if len(text.split()) != 1:
        raise NotSecure(f"--token-file {path}: a token is one word of ASCII characters")
    return text


class _Token(grpc.AuthMetadataPlugin):
    """Adds the token to each call, as it is in its file at that time."""

    def __init__(self, path: Path) -> None:
        self._path, self._token = path, read_token(path)

    def __call__(self, context: Any, callback: Any) -> None:
        with contextlib.suppress(NotSecure):  # just being replaced: the old one serves
            self._token = read_token(self._path)
        callback((("authorization", f"Bearer {self._token}"),), None)


def _context(security: Security) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(security.ca)
    except ssl.SSLError as error:
        raise NotSecure(f"--tls-ca {security.ca} holds no certificate (PEM): {error.reason or error}") from error
    except OSError as error:
        raise NotSecure(f"--tls-ca {security.ca}: {error.strerror or error}") from error
    if security.cert is not None and security.key is not None:
        try:
            security.cert.read_bytes(), security.key.read_bytes()
            context.load_cert_chain(security.cert, security.key, password=lambda: "")
        except ssl.SSLError as error:
            raise NotSecure(
                f"--tls-cert {security.cert} holds no certificate that goes with {security.key} (PEM): "
                f"{error.reason or error}"
            ) from error
        except OSError as error:
            raise NotSecure(f"{error.filename}: {error.strerror or error}") from error
    return context
