"""`lodescan certificates DIR`: makes a private authority, a certificate for each side, and a token.

The certificates are X.509 (RFC 5280), with keys on the curve P-256, made by the package `cryptography`.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from proposer.run.files import not_written
from scanspec import LodescanError
from scanspec.addresses import is_host_name

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

USUAL_HOSTS = ("localhost", "127.0.0.1", "::1", "evaluator")
"""The host names in every evaluator's certificate: on this machine, and in compose and Kubernetes."""

AUTHORITY_DAYS = 3650

CLOCKS = timedelta(hours=1)
"""The largest difference between the clocks of two machines. Certificates are valid from this time before now."""


class NoCertificates(LodescanError, ValueError):
    """The certificates cannot be made; the message says why."""

    next_step = "correct this, or name a new folder in which you may write"


def certificates(folder: Path, hosts: Sequence[str], days: int) -> int:
    """Makes FOLDER/evaluator and FOLDER/proposer, each with ca.pem, cert.pem, key.pem and token; returns 0.

    An authority and a token in the folder are kept, and only the certificates are new. `hosts` are further names of the
    evaluator; `days` is the validity of the certificates. Raises NoCertificates.
    """
    names = list(dict.fromkeys([*USUAL_HOSTS, *_own_names(), *map(_host, hosts)]))
    try:
        authority = _make(folder, names, days)
    except ImportError:
        raise NoCertificates("the package `cryptography` is missing: pip install '.[certificates]' here") from None
    except OSError as error:
        raise NoCertificates(f"{error.filename or folder}: {error.strerror or error}") from error
    evaluator, proposer = folder / "evaluator", folder / "proposer"
    print(f"certificates for {days} days, signed by {authority}; keep {folder / 'ca.key'} secret, it can sign others")
    print("start each side with its own folder:")
    for command, side in (
        ("lodescan-evaluator serve FILE --listen 0.0.0.0:50051", evaluator),
        ("lodescan scan FILE --evaluator HOST:50051", proposer),
    ):
        files = f"--tls-ca {side}/ca.pem --tls-cert {side}/cert.pem --tls-key {side}/key.pem --token-file {side}/token"
        print(f"  {command} {files}")
    return 0


def _make(folder: Path, hosts: Sequence[str], days: int) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / "ca.key").exists():
        which, (key, authority) = f"the existing authority in {folder}", _read_authority(folder)
    else:
        which, (key, authority) = f"a new authority in {folder}", _new_authority()
        _write_key(folder / "ca.key", key)
        _write(folder / "ca.pem", authority.public_bytes(Encoding.PEM), 0o644)
    token = folder / "evaluator" / "token"
    secret = token.read_bytes() if token.exists() else f"{secrets.token_urlsafe(32)}\n".encode()
    names: dict[str, list[x509.GeneralName]] = {
        "evaluator": [x509.IPAddress(ip_address(host)) if _is_ip(host) else x509.DNSName(host) for host in hosts],
        "proposer": [x509.DNSName("proposer")],
    }
    for side, alternatives in names.items():
        own = _new_key()
        certificate = (
            _builder(f"lodescan {side}", authority.subject, own, timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .add_extension(_usage(of_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_purposes(side)), critical=False)
        )
        (folder / side).mkdir(mode=0o700, exist_ok=True)
        _write_key(folder / side / "key.pem", own)
        _write(folder / side / "cert.pem", _sign(certificate, key).public_bytes(Encoding.PEM), 0o644)
        _write(folder / side / "ca.pem", authority.public_bytes(Encoding.PEM), 0o644)
        _write(folder / side / "token", secret, 0o600)
    return which


def _new_authority() -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    from cryptography import x509

    key = _new_key()
    name = f"lodescan authority {secrets.token_hex(4)}"
    builder = (
        _builder(name, None, key, timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(of_authority=True), critical=True)
    )
    return key, _sign(builder, key)


def _read_authority(folder: Path) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    except (ValueError, TypeError) as error:
        raise NoCertificates(f"the authority in {folder} cannot be read ({error}); name another folder") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != authority.public_key():
        raise NoCertificates(f"{folder}: ca.key does not belong to ca.pem; name another folder")
    return key, authority


def _builder(
    name: str, issuer: x509.Name | None, key: EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS)
        .not_valid_after(now + life)
    )


def _usage(*, of_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not of_authority,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _purposes(side: str) -> list[x509.ObjectIdentifier]:
    """The allowed uses of a side's certificate. An evaluator is also its own client, because a container's probe runs
    `lodescan-evaluator healthy`.
    """
    from cryptography.x509.oid import ExtendedKeyUsageOID

    client = ExtendedKeyUsageOID.CLIENT_AUTH
    return [ExtendedKeyUsageOID.SERVER_AUTH, client] if side == "evaluator" else [client]


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    return generate_private_key(SECP256R1())


def _sign(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography.hazmat.primitives.hashes import SHA256

    return builder.sign(key, SHA256())


def _own_names() -> list[str]:
    """The names of this machine; one that no certificate can have is left out."""
    return [name for name in (socket.gethostname(), socket.getfqdn()) if is_host_name(name)]


def _host(text: str) -> str:
    """A `--host` as it stands in a certificate. Raises NoCertificates."""
    host = text.removeprefix("[").removesuffix("]").partition("%")[0]  # the zone of an address is known to one machine
    if _is_ip(host) or is_host_name(host.removeprefix("*.")):
        return host
    raise NoCertificates(f"--host {text!r} is not the name or address of a machine; write it without a port")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _write_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    _write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replaces a file as a whole, so that a running service can read it at any time."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise not_written(path, error) from None
    os.replace(temporary, path)
