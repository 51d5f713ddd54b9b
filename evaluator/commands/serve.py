"""`lodescan-evaluator serve`: from a scan file to a server, and its orderly end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import replace

from evaluator.chain import Chain
from evaluator.description import describe
from evaluator.errors import ConfigurationError, PhysicsChanged
from evaluator.executors.in_process import InProcessExecutor
from evaluator.executors.processes import ProcessExecutor
from evaluator.executors.protocol import Executor, Health
from evaluator.leftovers import ENDING
from evaluator.service.listening import place_of, why_not
from evaluator.service.server import Evaluation, Server
from scanspec import Address, AddressError, ScanFile, read_address

QUICK_START = 1.0
"""Seconds without a worker of which clients are not told: a worker that was lost is soon replaced."""


def serve(scan: ScanFile, options: argparse.Namespace) -> int:
    """Serves until one of the signals `ENDING`; returns 0.

    Raises ConfigurationError before it answers anybody, and EvaluatorLost when it can answer no more.
    """
    try:
        address = read_address(options.listen, any_port=True)
    except AddressError as error:
        raise ConfigurationError(f"--listen {error}") from None
    if not options.insecure and not address.is_local:
        raise ConfigurationError(
            f"--listen {options.listen} is open to other machines, in plain text and without a password; listen on "
            "127.0.0.1, or say --insecure on a private network"
        )
    chain = Chain(scan)
    executor: Executor
    if (options.executor == "dask") != bool(options.scheduler):
        raise ConfigurationError("--executor dask and --scheduler ADDRESS go together")
    if options.executor == "dask":
        from evaluator.executors.dask import DaskExecutor

        executor = DaskExecutor(chain, options.scheduler)
    elif options.workers == 0:
        chain.load()
        executor = InProcessExecutor(chain)
    else:
        executor = ProcessExecutor(chain, options.workers)
    try:
        with place_of(address):
            asyncio.run(_serve(chain, executor, address, options))
    finally:
        executor.close()
    return 0


async def _serve(chain: Chain, executor: Executor, address: Address, options: argparse.Namespace) -> None:
    description = describe(chain, executor.concurrency)
    description.longest_seconds = executor.longest_seconds
    evaluation = Evaluation(executor, description, [spec.likelihood for spec in chain.specs])
    try:
        server = Server(evaluation, address)
    except OSError as error:
        raise ConfigurationError(why_not(address)) from error
    loop, stop, changed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
            loop.add_signal_handler(number, stop.set)
    executor.health.tell(lambda: loop.call_soon_threadsafe(changed.set))
    await server.start()
    following = asyncio.create_task(_follow(executor.health, changed, server, stop))
    if not address.path:
        address = replace(address, port=server.port)
    where = f"{options.workers} worker processes" if options.workers else "this process, without isolation"
    if options.executor == "dask":
        where = f"{executor.concurrency} threads of the Dask cluster at {options.scheduler}"
    print(f"evaluator: {description.backend} on {address}, points run in {where}", flush=True)
    if options.address_file is not None:
        temporary = options.address_file.with_suffix(".new")
        temporary.write_text(f"{address}\n")
        os.replace(temporary, options.address_file)
    await stop.wait()
    following.cancel()
    if options.address_file is not None:
        options.address_file.unlink(missing_ok=True)  # nobody answers there any more
    print("evaluator: stopping", file=sys.stderr, flush=True)
    # where the physics has changed no answer of a point that still runs could be used
    await server.stop(0.0 if isinstance(executor.health.error, PhysicsChanged) else options.grace)
    if executor.health.error is not None:
        raise executor.health.error


async def _follow(health: Health, changed: asyncio.Event, server: Server, stop: asyncio.Event) -> None:
    """Tells clients whether points can be run, until they can no more."""
    while health.error is None:
        await changed.wait()
        changed.clear()
        if not health.ready:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), QUICK_START)
                continue
        await server.set_serving(health.ready)
    stop.set()
