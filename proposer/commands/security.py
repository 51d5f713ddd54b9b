"""The options for TLS and tokens of the commands that talk to evaluators."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proposer.wire.security import Security


def add_security_options(parser: argparse.ArgumentParser) -> None:
    """--tls-ca, --tls-cert, --tls-key, --token-file and --insecure."""
    parser.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="speak TLS to evaluators with certificates of this authority (PEM)"
    )
    parser.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="the certificate of this side, for evaluators that require it"
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="the key of the certificate")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="send the token in this file (mode 0600)")
    parser.add_argument(
        "--insecure", action="store_true", help="connect to other machines in plain text: only on a private network"
    )


def read_security(options: argparse.Namespace) -> Security:
    """Reads these options. Raises NotSecure."""
    from proposer.wire.security import Security

    return Security(
        ca=options.tls_ca,
        cert=options.tls_cert,
        key=options.tls_key,
        token_file=options.token_file,
        insecure=options.insecure,
    )
