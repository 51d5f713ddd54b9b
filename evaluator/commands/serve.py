"""`lodescan-evaluator serve`: from a scan file to a server, and its orderly end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import replace

from evaluator.chain import Chain
from evaluator.description import describe
from evaluator.errors import ConfigurationError, PhysicsChanged
from evaluator.executors.in_process import InProcess
from evaluator.executors.processes import LocalProcesses
from evaluator.executors.protocol import Workers
from evaluator.service.listening import place_of, why_not
from evaluator.service.server import Evaluation, Server
from scanspec import Address, AddressError, ScanFile, read_address


def serve(scan: ScanFile, options: argparse.Namespace) -> int:
    """Serves until SIGTERM or SIGINT; returns 0.

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
    workers: Workers
    if (options.executor == "dask") != bool(options.scheduler):
        raise ConfigurationError("--executor dask and --scheduler ADDRESS go together")
    if options.executor == "dask":
        from evaluator.executors.dask import DaskWorkers

        workers = DaskWorkers(chain, options.scheduler)
    elif options.workers == 0:
        chain.load()
        workers = InProcess(chain)
    else:
        workers = LocalProcesses(chain, options.workers)
    try:
        with place_of(address):
            asyncio.run(_serve(chain, workers, address, options))
    finally:
        workers.close()
    return 0


async def _serve(chain: Chain, workers: Workers, address: Address, options: argparse.Namespace) -> None:
    description = describe(chain, workers.concurrency)
    evaluation = Evaluation(workers, description, [spec.likelihood for spec in chain.specs])
    try:
        server = Server(evaluation, address)
    except OSError as error:
        raise ConfigurationError(why_not(address)) from error
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loop = asyncio.get_running_loop()
    workers.loss.tell(lambda: loop.call_soon_threadsafe(stop.set))
    await server.start()
    if not address.path:
        address = replace(address, port=server.port)
    where = f"{options.workers} worker processes" if options.workers else "this process, without isolation"
    if options.executor == "dask":
        where = f"{workers.concurrency} threads of the Dask cluster at {options.scheduler}"
    print(f"evaluator: {description.backend} on {address}, points run in {where}", flush=True)
    if options.address_file is not None:
        temporary = options.address_file.with_suffix(".new")
        temporary.write_text(f"{address}\n")
        os.replace(temporary, options.address_file)
    await stop.wait()
    if options.address_file is not None:
        options.address_file.unlink(missing_ok=True)  # nobody answers there any more
    print("evaluator: stopping", file=sys.stderr, flush=True)
    # where the physics has changed no answer of a point that still runs could be used
    await server.stop(0.0 if isinstance(workers.loss.error, PhysicsChanged) else options.grace)
    if workers.loss.error is not None:
        raise workers.loss.error
