"""Finds out what is wrong with a certificate and its key, before gRPC refuses them without a reason."""

from __future__ import annotations

import ssl
from pathlib import Path

_TAKEN = (
    bytes.fromhex("06092a864886f70d010101"),  # rsaEncryption
    bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107"),  # ecPublicKey, P-256
    bytes.fromhex("06072a8648ce3d020106052b81040022"),  # ecPublicKey, P-384
)
"""The kinds of public keys (DER, RFC 3279 and RFC 5480) for which gRPC's TLS completes a handshake."""

_END = b"-----END CERTIFICATE-----"


def fault_of_pair(context: ssl.SSLContext, cert: Path, key: Path) -> str:
    """Loads a certificate and its key (PEM) into a context. Returns what is wrong with them, in words; empty if nothing
    is.
    """
    for option, path in (("--tls-cert", cert), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            return f"{option} {path}: {error.strerror or error}"
    asked = False

    def no_pass_phrase() -> str:
        nonlocal asked
        asked = True
        return ""

    try:
        context.load_cert_chain(cert, key, password=no_pass_phrase)
        first = cert.read_bytes().partition(_END)[0] + _END
        der = ssl.PEM_cert_to_DER_cert(first[first.index(b"-----BEGIN CERTIFICATE-----") :].decode("ascii"))
    except OSError as error:  # SSLError is one
        if asked:
            without = f"`openssl pkey -in {key} -out NEW` writes it without"
            return f"--tls-key {key} has a pass phrase, which cannot be given here; {without}"
        reason = getattr(error, "reason", None) or error
        return f"--tls-cert {cert} holds no certificate that goes with {key} (PEM): {reason}"
    except ValueError:  # for example, a TRUSTED CERTIFICATE, or a file that is being replaced
        return f"--tls-cert {cert} does not begin with a certificate (PEM)"
    if not any(kind in der for kind in _TAKEN):
        return f"--tls-cert {cert} has a kind of key that gRPC does not take; it takes RSA and ECDSA on P-256 or P-384"
    return ""
