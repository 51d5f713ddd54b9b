"""Names what is wrong with a TLS connection, by a handshake of its own: gRPC only says `UNAVAILABLE: Socket closed`."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from scanspec.addresses import Address
from scanspec.errors import LodescanError
from scanspec.key_pairs import fault_of_pair

PROBE_SECONDS = 3.0
"""The longest wait in seconds for a connection, and for each answer."""

_HANDSHAKE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""The first bytes that a client of HTTP/2 sends, with empty settings."""

# X509_V_ERR_... of OpenSSL
_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64


class NotSecure(LodescanError, ValueError):
    """The connection would not be secure, or a file for it cannot be used."""

    next_step = "`lodescan certificates DIR` makes certificates and a token for both sides"


@dataclass(frozen=True)
class Handshake:
    """The files of a client (PEM): `ca` holds the authorities of servers' certificates, None for plain text; `cert` and
    `key` are the client's own.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The context for the module `ssl`. Raises NotSecure if a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        try:
            context.load_verify_locations(self.ca)
        except ssl.SSLError as error:
            raise NotSecure(f"--tls-ca {self.ca} holds no certificate (PEM): {error.reason or error}") from error
        except OSError as error:
            raise NotSecure(f"--tls-ca {self.ca}: {error.strerror or error}") from error
        if self.cert is not None and self.key is not None and (fault := fault_of_pair(context, self.cert, self.key)):
            raise NotSecure(fault)
        return context

    def fault(self, address: Address, name: str = "") -> str:
        """One sentence that says what is wrong with the handshake with an evaluator, and what to do; empty if nothing
        is wrong or nobody listens. `name`: the name that the certificate must have, if it is not that of the address.
        Waits at most PROBE_SECONDS for each address of the name and for each answer. Raises NotSecure if a file cannot
        be used.
        """
        if address.path:
            return ""
        try:
            with _connect(address) as plain:
                if self.ca is not None:
                    return self._fault_of_tls(plain, address, name or address.host.strip("[]"))
                answer = _begin(plain)
            # a server that speaks plain text begins with its own settings; one that speaks TLS answers with an alert,
            # or closes the connection, as a proxy does while nobody listens behind it
            if answer[:2] == b"\x15\x03" or (not answer and _speaks_tls(address)):
                return "it speaks TLS, but is asked in plain text; give --tls-ca with the authority of its certificate"
        except OSError:
            pass
        return ""

    def _fault_of_tls(self, plain: socket.socket, address: Address, name: str) -> str:
        try:
            wrapped = self.context().wrap_socket(plain, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            return self._fault_of_their_certificate(error, name)
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).upper().replace(" ", "_")
            closed = "UNEXPECTED_EOF" in reason
            if closed and not _speaks_plain_text(address):
                return ""
            if closed or any(sign in reason for sign in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")):
                return "it speaks plain text, but is asked by TLS; start it with --tls-cert and --tls-key"
            return self._fault_of_our_certificate()
        with wrapped:
            # with TLS 1.3 a client learns only now that its certificate is refused, and gRPC just closes the connection
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

    def _fault_of_their_certificate(self, error: ssl.SSLCertVerificationError, name: str) -> str:
        if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
            return (
                f"its certificate is not for {name}; ask it by a name that the certificate has, or make one with "
                f"`lodescan certificates DIR --host {name}`"
            )
        if error.verify_code == _EXPIRED:
            return "its certificate has expired; make new ones with `lodescan certificates DIR`"
        if error.verify_code == _NOT_YET:
            return "its certificate is not valid yet; are the clocks of both machines right?"
        return (
            f"its certificate is not of the authority in {self.ca} ({error.verify_message}); give both sides files of "
            "one `lodescan certificates DIR`"
        )


def _connect(address: Address) -> socket.socket:
    plain = socket.create_connection((address.host.strip("[]"), address.port), PROBE_SECONDS)
    plain.settimeout(PROBE_SECONDS)
    return plain


def _begin(plain: socket.socket) -> bytes:
    """The first bytes of a server's answer to the beginning of HTTP/2; empty if it closes the connection."""
    plain.sendall(_HANDSHAKE)
    try:
        return plain.recv(9)
    except ConnectionError:
        return b""


def _speaks_plain_text(address: Address) -> bool:
    with _connect(address) as plain:
        return bool(_begin(plain))


def _speaks_tls(address: Address) -> bool:
    """Whether a server answers a TLS handshake; its certificate is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with _connect(address) as plain, context.wrap_socket(plain):
            return True
    except ssl.SSLError as error:  # an alert is an answer, too
        return not isinstance(error, ssl.SSLEOFError) and error.reason != "WRONG_VERSION_NUMBER"
