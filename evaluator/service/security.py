"""TLS and tokens on the evaluator's side: what other machines may use, and who may use it."""

from __future__ import annotations

import hmac
import logging
import os
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from evaluator.errors import OptionError
from scanspec import Address
from scanspec.key_pairs import fault_of_pair
from scanspec.text import quoted

SHORTEST_TOKEN = 16
"""Characters; `lodescan certificates` makes one of 43."""

OPEN_METHODS = "/grpc.health.v1.Health/"
"""The methods that need no token; they only tell that the evaluator is there."""

Stamp = tuple[tuple[int, int, int], ...]
Handler = Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Security:
    """The files of an evaluator that speaks TLS: its certificate and key (PEM), the authorities of its clients'
    certificates, and the token of its clients. Without `ca` no client certificate is asked for.
    """

    cert: Path
    key: Path
    ca: Path | None = None
    token_file: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials of the server. The files are looked at whenever a client connects, so that new ones count."""
        stamp, configuration = _stamp(self), self._configuration()

        def fetch() -> Any:
            """A new configuration, or None where the files are the same."""
            nonlocal stamp
            try:
                if (now := _stamp(self)) == stamp:
                    return None
                found = self._configuration()
            except (OptionError, OSError) as error:  # the files are being replaced: the old ones stay in use
                log.warning("the new certificate is not taken up yet: %s", error)
                return None
            stamp = now
            return found

        return grpc.dynamic_ssl_server_credentials(configuration, fetch, self.ca is not None)

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        _check_pair(self.cert, self.key, self.ca)
        try:
            return grpc.ssl_server_certificate_configuration(
                [(self.key.read_bytes(), self.cert.read_bytes())],
                self.ca.read_bytes() if self.ca is not None else None,
            )
        except OSError as error:
            raise OptionError(f"{error.filename}: {error.strerror}") from error


def read_security(cert: Path | None, key: Path | None, ca: Path | None, token_file: Path | None) -> Security | None:
    """The files of the options --tls-cert, --tls-key, --tls-ca and --token-file; None without these options.

    Raises OptionError if an option lacks another one that it needs, or if a file cannot be used.
    """
    if cert is None and key is None and ca is None and token_file is None:
        return None
    if cert is None or key is None:
        have = "--tls-ca" if ca is not None else "--token-file"
        if cert is not None or key is not None:
            have = "--tls-cert" if cert is not None else "--tls-key"
        raise OptionError(
            f"{have} needs --tls-cert and --tls-key beside it; `lodescan certificates DIR` makes all of them"
        )
    security = Security(cert, key, ca, token_file)
    _check_pair(cert, key, ca)
    if token_file is not None:
        read_token(token_file)
    return security


def require_security(security: Security | None, address: Address) -> None:
    """Raises OptionError for an address that other machines can use without saying who they are."""
    if address.is_local or (security is not None and (security.ca is not None or security.token_file is not None)):
        return
    missing = (
        "in plain text and without a password"
        if security is None
        else "to whoever finds it: neither --tls-ca, which asks for client certificates, nor --token-file is given"
    )
    raise OptionError(
        f"--listen {address} is open to other machines, {missing}; listen on 127.0.0.1, give --tls-cert, --tls-key and "
        "--tls-ca or --token-file (`lodescan certificates DIR` makes them), or say --insecure on a private network"
    )


def read_token(path: Path) -> bytes:
    """The token in a file that nobody else can read. Raises OptionError."""
    try:
        status = os.stat(path)
        text = path.read_bytes().strip()
    except OSError as error:
        raise OptionError(f"--token-file {path}: {error.strerror}") from error
    # a Secret that Kubernetes mounts is root's, and readable by the group of the pod
    is_mounted = status.st_uid == 0 != os.geteuid()
    if stat.S_IMODE(status.st_mode) & (0o037 if is_mounted else 0o077):
        raise OptionError(f"--token-file {path}: others can read it; `chmod 600 {quoted(path)}`, and make a new token")
    if len(text) < SHORTEST_TOKEN or not _is_word(text):
        raise OptionError(
            f"--token-file {path}: a token is one word of at least {SHORTEST_TOKEN} ASCII characters that "
            "can be printed; `openssl rand -hex 32` makes one"
        )
    return text


def _is_word(text: bytes) -> bool:
    """Whether a header of HTTP/2 can carry the text as one word."""
    return all(0x20 < byte < 0x7F for byte in text)


class TokenGuard(grpc.aio.ServerInterceptor):
    """Refuses calls without the token in a file. The file is read again if it changes."""

    def __init__(self, path: Path) -> None:
        self._path, self._token = path, read_token(path)
        self._stamp = _stamp_of(path)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        if handler_call_details.method.startswith(OPEN_METHODS) or self._is_known(handler_call_details):
            return await continuation(handler_call_details)
        if (handler := await continuation(handler_call_details)) is None:
            return None
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(_deny_stream)
        return grpc.unary_unary_rpc_method_handler(_deny)

    def _is_known(self, details: Any) -> bool:
        self._read_again()
        given = [value for name, value in details.invocation_metadata or () if name == "authorization"]
        wanted = b"Bearer " + self._token
        return len(given) == 1 and hmac.compare_digest(wanted, _to_bytes(given[0]))  # in constant time

    def _read_again(self) -> None:
        try:
            if (now := _stamp_of(self._path)) != self._stamp:
                self._token, self._stamp = read_token(self._path), now
        except (OptionError, OSError) as error:
            log.warning("the new token is not taken up yet: %s", error)


def _to_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode(errors="replace")


async def _deny(_: bytes, context: Any) -> bytes:
    _set_denied(context)
    return b""


async def _deny_stream(_: Any, context: Any) -> AsyncIterator[bytes]:
    _set_denied(context)
    nothing: list[bytes] = []
    for message in nothing:  # an async generator
        yield message


def _set_denied(context: Any) -> None:
    context.set_code(grpc.StatusCode.UNAUTHENTICATED)
    context.set_details("this evaluator requires a token: give --token-file with the token of the evaluator")


def _check_pair(cert: Path, key: Path, ca: Path | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if fault := fault_of_pair(context, cert, key):
        raise OptionError(fault)
    if ca is None:
        return
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise OptionError(f"--tls-ca {ca} holds no certificate (PEM): {error.reason or error}") from error
    except OSError as error:
        raise OptionError(f"--tls-ca {ca}: {error.strerror or error}") from error


def _stamp_of(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _stamp(security: Security) -> Stamp:
    return tuple(_stamp_of(path) for path in (security.cert, security.key, security.ca) if path is not None)
