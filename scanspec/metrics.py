"""The option `--metrics HOST:PORT` of both sides: Prometheus reads metrics there over HTTP. Its package is imported on
demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanspec.addresses import read_http_address
from scanspec.errors import LodescanError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0)
"""The upper edges of the bins in seconds, for codes from a formula to a Boltzmann solver."""


class NoMetrics(LodescanError, RuntimeError):
    """`--metrics` cannot be served: a package is missing, or the address cannot be listened on."""

    next_step = "pip install '.[metrics]' in the clone, into this environment, or leave --metrics out"


@contextmanager
def serving_metrics(where: str | None, say: Callable[[str], None]) -> Iterator[CollectorRegistry | None]:
    """Serves a registry at HOST:PORT, or at a PORT of loopback, and says where. Without an address it serves nothing
    and yields None.

    Raises UsageError for an address that cannot be read, and NoMetrics.
    """
    if where is None:
        yield None
        return
    address = read_http_address("--metrics", where, "127.0.0.1:9464")
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise NoMetrics("--metrics needs the package prometheus-client, which is missing here") from None
    registry = CollectorRegistry()
    try:
        server, thread = start_http_server(address.port, address.host.strip("[]"), registry)
    except OSError as error:
        raise NoMetrics(
            f"--metrics {where} cannot be listened on: {error.strerror or error}", next_step="choose another port"
        ) from error
    try:
        say(f"metrics: http://{address.host}:{server.server_port}/metrics")
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def watch_certificates(registry: CollectorRegistry, name: str, files: Iterable[Path | None]) -> None:
    """Adds a gauge of the time at which each certificate expires, in seconds since 1970. The files are read at each
    scrape, because they may be replaced while a service runs. Raises NoMetrics.
    """
    paths = [path for path in files if path is not None]
    if not paths:
        return
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise NoMetrics("--metrics with certificates needs the package cryptography, which is missing here") from None
    from prometheus_client import Gauge

    expiry = Gauge(name, "When a certificate expires, in seconds since 1970.", ["file"], registry=registry)
    for path in paths:
        expiry.labels(str(path)).set_function(partial(_expiry, path))


def _expiry(path: Path) -> float:
    """The time at which a certificate expires, in seconds since 1970; NaN while the file is being replaced."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return float("nan")


def gauge(registry: CollectorRegistry, name: str, text: str, value: Callable[[], float]) -> None:
    """Adds a gauge, whose value is asked for at each scrape."""
    from prometheus_client import Gauge

    Gauge(name, text, registry=registry).set_function(value)


def histogram(registry: CollectorRegistry, name: str, text: str, label: str) -> Any:
    """A histogram of seconds, one for each value of `label`."""
    from prometheus_client import Histogram

    return Histogram(name, text, [label], buckets=SECONDS, registry=registry)
