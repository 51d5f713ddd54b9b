"""The options for monitoring, which are the same on both sides."""

from __future__ import annotations

import argparse

from scanspec.events import JSON, TEXT


def add_watching_options(parser: argparse.ArgumentParser) -> None:
    """--metrics, --log-format and --traces."""
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        help="serve metrics for Prometheus there, at /metrics; a PORT alone listens on loopback",
    )
    parser.add_argument(
        "--log-format",
        choices=[TEXT, JSON],
        default=TEXT,
        help="json: standard error has one line with a JSON object for each event (default: %(default)s)",
    )
    parser.add_argument(
        "--traces",
        metavar="URL",
        help="send OpenTelemetry traces of points to this collector (OTLP over HTTP), for example "
        "http://127.0.0.1:4318/v1/traces",
    )
