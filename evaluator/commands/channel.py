"""A channel to an evaluator for its clients `healthy` and `lodescan-conformance`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluator.errors import OptionError
from scanspec import Address
from scanspec.handshake import Handshake, NotSecure

if TYPE_CHECKING:
    import grpc

PLAIN = argparse.Namespace(tls_ca=None, tls_cert=None, tls_key=None, token_file=None)
"""The options of a client without TLS and token."""


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """--tls-ca, --tls-cert, --tls-key and --token-file, as the proposer has them."""
    parser.add_argument("--tls-ca", type=Path, metavar="FILE", help="speak TLS, with certificates of this authority")
    parser.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="the certificate of this client, if the evaluator requires it"
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="the key of the certificate")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="send the token in this file")


def no_answer(address: Address, options: argparse.Namespace, error: grpc.RpcError) -> str:
    """A message for an evaluator that did not answer, with the error of the TLS handshake if there is one."""
    try:
        fault = Handshake(options.tls_ca, options.tls_cert, options.tls_key).fault(address)
    except NotSecure as not_secure:  # a file cannot be used
        fault = str(not_secure)
    return f"({error.code().name})" + (f": {fault}" if fault else "")


def open_channel(address: Address, options: argparse.Namespace, more: Sequence[tuple[str, Any]] = ()) -> grpc.Channel:
    """A channel with the client's options; `more` are options of gRPC. Raises OptionError."""
    import grpc

    from evaluator.service.security import read_token

    settings = [("grpc.enable_http_proxy", 0), *more]  # proxies for the web do not lead to evaluators
    if options.tls_ca is None:
        if options.tls_cert is not None or options.tls_key is not None or options.token_file is not None:
            raise OptionError("--tls-ca is missing: certificates and tokens are not sent in plain text")
        return grpc.insecure_channel(address.target, settings)
    if (options.tls_cert is None) is not (options.tls_key is None):
        raise OptionError("--tls-cert and --tls-key go together")
    try:
        ca, key, cert = (
            path.read_bytes() if path is not None else None
            for path in (options.tls_ca, options.tls_key, options.tls_cert)
        )
    except OSError as error:
        raise OptionError(f"{error.filename}: {error.strerror}") from error
    credentials = grpc.ssl_channel_credentials(ca, key, cert)
    if options.token_file is not None:
        token = grpc.access_token_call_credentials(read_token(options.token_file).decode())
        credentials = grpc.composite_channel_credentials(credentials, token)
    return grpc.secure_channel(address.target, credentials, settings)
