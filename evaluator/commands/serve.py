"""The command `lodescan-evaluator serve`: starts the server of a scan file, and ends it in order."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import resource
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluator.chain import Chain
from evaluator.codes.resources import points_at_once
from evaluator.commands.surroundings import check_surroundings
from evaluator.description import describe
from evaluator.errors import PhysicsChanged
from evaluator.executors.in_process import InProcessExecutor
from evaluator.executors.processes import ProcessExecutor
from evaluator.executors.protocol import Executor, Health
from evaluator.leftovers import ENDING, let_forks_end
from evaluator.service import ending
from evaluator.service.announcement import announced, reachable, write_whole
from evaluator.service.ending import Ending, Lifetime
from evaluator.service.listening import place_of, why_not
from evaluator.service.observers import log_points
from evaluator.service.security import Security, read_security, require_security
from evaluator.service.server import Evaluation, Server
from evaluator.service.traces import Traces
from evaluator.words import say, unread
from scanspec import Address, AddressError, LodescanError, ScanFile, UsageError, read_address
from scanspec.events import event, in_json, know
from scanspec.finished import Digests, is_marked
from scanspec.metrics import serving_metrics, watch_certificates
from scanspec.traces import Spans, sending_traces

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

QUICK_START = 1.0
"""Seconds without a worker before clients are told, because a lost worker is soon replaced."""

UNFINISHED = 6
"""The exit code of an evaluator that ended in order before the scan was finished, as far as it knows."""


@dataclass(frozen=True)
class Watched:
    """The receivers of metrics and traces; None if there is none."""

    registry: CollectorRegistry | None
    spans: Spans | None


@dataclass(frozen=True)
class Where:
    """The server's address, its certificates (None: plain text), and its metrics and traces."""

    address: Address
    security: Security | None
    watched: Watched


@contextlib.contextmanager
def _watched(security: Security | None, options: argparse.Namespace) -> Iterator[Watched]:
    """The receivers of metrics and traces. Raises UsageError, NoMetrics, and NoTraces."""
    with (
        serving_metrics(options.metrics, say) as registry,
        sending_traces(options.traces, "lodescan-evaluator") as spans,
    ):
        if registry is not None and security is not None:
            files = (security.ca, security.cert)
            watch_certificates(registry, "lodescan_evaluator_certificate_expiry_timestamp_seconds", files)
        yield Watched(registry, spans)


def serve(scan: ScanFile, options: argparse.Namespace) -> int:
    """Serves until one of the signals `ENDING`, the end of the lifetime, or the end of the scan. Then these signals are
    ignored, also in programs that this process starts.

    Returns UNFINISHED if the lifetime is over, and, with `--until-finished`, if the scan is not known to be finished at
    a signal, or after ending.LONGEST_ALONE seconds without a client; else 0. Raises UsageError or ConfigurationError
    before the server starts, and EvaluatorLost if it can run no more points.
    """
    check_surroundings()
    try:
        address = read_address(options.listen, any_port=True)
    except AddressError as error:
        raise UsageError(f"--listen {error.message}", next_step=error.next_step) from None
    security = read_security(options.tls_cert, options.tls_key, options.tls_ca, options.token_file)
    if security is not None and address.path:
        raise UsageError(f"--listen {address} needs no TLS", next_step="leave --tls-cert out")
    if not options.insecure:
        require_security(security, address)
    lifetime = Lifetime(options.lifetime, options.grace) if options.lifetime is not None else None
    chain = Chain(scan)
    if options.workers is None:
        options.workers = points_at_once([step.code for step in chain.steps])
    with _watched(security, options) as watched:
        executor = _executor(chain, options)
        try:
            with place_of(address):
                where = Where(address, security, watched)
                why = asyncio.run(_to_the_end(_serve(chain, executor, where, lifetime, options)))
        finally:
            _open_any_number_of_files()
            executor.close()
    if why is Ending.FINISHED or (why is Ending.SIGNAL and not options.until_finished):
        return 0
    return UNFINISHED


def _open_any_number_of_files() -> None:
    """As many as the system lets this process have: whoever ends because there were too many must still clear up."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _executor(chain: Chain, options: argparse.Namespace) -> Executor:
    if (options.executor == "dask") != bool(options.scheduler):
        raise UsageError("--executor dask and --scheduler ADDRESS go together", next_step="give both, or neither")
    if options.executor == "dask":
        from evaluator.executors.dask import DaskExecutor

        return DaskExecutor(chain, options.scheduler)
    if options.workers == 0:
        chain.load()
        return InProcessExecutor(chain)
    return ProcessExecutor(chain, options.workers)


async def _to_the_end(served: Coroutine[Any, Any, Ending]) -> Ending:
    """Why the evaluator ends. From then on, the signals `ENDING` do nothing: batch systems may send several, and this
    process still has to end its workers and to remove its files.
    """
    try:
        return await served
    finally:
        loop = asyncio.get_running_loop()
        for number in ENDING:
            if loop.remove_signal_handler(number):
                signal.signal(number, signal.SIG_IGN)


async def _serve(
    chain: Chain, executor: Executor, where: Where, lifetime: Lifetime | None, options: argparse.Namespace
) -> Ending:
    """Serves until the evaluator must end, and says why. Raises EvaluatorLost and UsageError."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    ended: asyncio.Future[Ending] = loop.create_future()

    def end(why: Ending) -> None:
        if not ended.done():
            ended.set_result(why)

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(changed.set)

    # 1. Make the server, which takes its address.
    description = describe(chain, executor.concurrency)
    description.longest_seconds = executor.longest_seconds
    description.instance = uuid.uuid4().hex
    on_finish = (lambda: end(Ending.FINISHED)) if options.until_finished else None
    evaluation = Evaluation(executor, description, [spec.likelihood for spec in chain.specs], on_finish)
    try:
        server = Server(evaluation, where.address, where.security)
    except OSError as error:
        raise why_not(where.address) from error
    # 2. From here on, signals end it in order, and observers see each point.
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # unlike under `nohup`
            loop.add_signal_handler(number, end, Ending.SIGNAL)
    let_forks_end()
    _observe(evaluation, where.watched, description.codes, executor)
    executor.health.tell(wake)
    gc.collect()
    gc.freeze()  # loaded objects stay, so the garbage collector need not scan them again
    await server.start()
    # 3. Start what decides when it ends.
    tasks = [asyncio.create_task(_follow(executor.health, changed, server, lambda: end(Ending.LOST)))]
    if lifetime is not None:
        tasks.append(asyncio.create_task(_live(lifetime, evaluation, lambda: end(Ending.LIFETIME))))
    if options.until_finished:
        digests = (description.physics_digest, description.likelihood_digest)
        tasks.append(asyncio.create_task(_wait_for_the_end(evaluation, options.announce, digests, end)))
    # 4. Tell everybody the address, and serve.
    address = where.address if where.address.path else replace(where.address, port=server.port)
    try:
        with announced(options.announce, address):
            know(evaluator=reachable(address, socket.gethostname()))
            _say_where(description.backend, address, executor, options)
            if options.address_file is not None:
                _write_address(options.address_file, address)
            why = await ended
    except LodescanError:  # the address file or the announcement could not be written
        await server.stop(0.0)
        raise
    # 5. End in order: running points have the time of grace.
    for task in tasks:
        task.cancel()
    if options.address_file is not None:
        with contextlib.suppress(OSError):
            options.address_file.unlink(missing_ok=True)  # because the server has ended
    event("stopping", reason=why.value)
    if not in_json():
        say(f"stopping ({why.value})")
    grace = lifetime.left() if lifetime is not None and why is Ending.LIFETIME else options.grace
    # if the physics has changed, the results of running points are useless
    await server.stop(0.0 if isinstance(executor.health.error, PhysicsChanged) else grace)
    if executor.health.error is not None:
        raise executor.health.error
    return why


def _observe(evaluation: Evaluation, watched: Watched, codes: Sequence[str], executor: Executor) -> None:
    """Adds the observers that see each point: events in JSON, metrics, and traces."""
    if in_json():
        evaluation.observers.append(log_points)
    if watched.registry is not None:
        from evaluator.service.metrics import Metrics  # imported here, because its package is an extra

        evaluation.observers.append(Metrics(watched.registry, evaluation, codes, lambda: executor.concurrency))
    if watched.spans is not None:
        evaluation.observers.append(Traces(watched.spans, codes))


def _say_where(backend: str, address: Address, executor: Executor, options: argparse.Namespace) -> None:
    """Tells the user where the evaluator listens, and where points run."""
    if in_json():
        event("serving", backend=backend, address=str(address), workers=executor.concurrency)
        return
    workers = f"{options.workers} worker process{'es' * (options.workers != 1)}"
    if not options.workers:
        workers = "this process, without isolation"
    if options.executor == "dask":
        workers = f"{executor.concurrency} threads of the Dask cluster at {options.scheduler}"
    with unread(sys.stdout):
        print(f"evaluator: {backend} on {address}, points run in {workers}", flush=True)


def _write_address(path: Path, address: Address) -> None:
    try:
        write_whole(path, f"{address}\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--address-file {path}: {why}", next_step="name a file in a folder that can be written"
        ) from error


async def _follow(health: Health, changed: asyncio.Event, server: Server, on_loss: Callable[[], None]) -> None:
    """Tells clients whether points can run. Calls `on_loss` when points can run no more."""
    while health.error is None:
        await changed.wait()
        changed.clear()
        if not health.ready:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), QUICK_START)
                continue
        await server.set_serving(health.ready)
    on_loss()


async def _wait_for_the_end(
    evaluation: Evaluation, folder: Path | None, digests: Digests, end: Callable[[Ending], None]
) -> None:
    """Waits until the pool's folder is marked as finished, or no client has come for too long, and then calls `end`."""
    while (left := ending.LONGEST_ALONE - evaluation.seconds_alone) > 0.0:
        if folder is not None and evaluation.seconds_alone and await asyncio.to_thread(is_marked, folder, digests):
            end(Ending.FINISHED)
            return
        await asyncio.sleep(left if folder is None else min(left, ending.LOOK_EVERY))
    end(Ending.ALONE)


async def _live(lifetime: Lifetime, evaluation: Evaluation, on_end: Callable[[], None]) -> None:
    await lifetime.wait(lambda: evaluation.longest)
    on_end()
