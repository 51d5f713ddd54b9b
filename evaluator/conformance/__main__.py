"""`lodescan-conformance ADDRESS`: checks whether an evaluator, in any language, follows the contract."""

from __future__ import annotations

import os
import sys

import grpc

try:
    from evaluator.conformance.checks import CHECKS
except ModuleNotFoundError as error:  # both sides install each other's commands
    where = (
        "run it in the evaluator's environment, .envs/evaluator/bin/lodescan-conformance; `pip install '.[evaluator]'` "
        "in the clone makes another one"
    )
    sys.exit(f"lodescan-conformance: {error.name} is missing: {where}")

from evaluator.commands.channel import add_client_options, no_answer
from evaluator.conformance.peer import Broken, Peer
from evaluator.errors import ConfigurationError
from scanspec import AddressError, read_address, visible
from scanspec.intermixed import Parser

LONGEST_LINE = 2000
"""The largest number of characters of a message from the evaluator."""


def shown(text: object) -> str:
    """A message from the evaluator as one line of bounded length, without control characters."""
    return " ".join(visible(str(text)[:LONGEST_LINE]).split())


def main(arguments: list[str] | None = None) -> int:
    """Prints a line for each check. Returns 0 if all pass, 1 if not, 2 if the evaluator does not answer."""
    parser = Parser(prog="lodescan-conformance", description="Checks whether an evaluator follows the contract.")
    parser.add_argument("address", metavar="HOST:PORT", help="or unix:PATH")
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="the longest time for one point (default: %(default)s)",
    )
    add_client_options(parser)
    options = parser.parse_args(arguments)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        peer = Peer(options.address, options.timeout, options)
    except (AddressError, ConfigurationError) as error:
        print(f"lodescan-conformance: {visible(error.tell())}", file=sys.stderr)
        return 2
    except grpc.RpcError as error:
        why = f"{options.address} does not answer Describe {no_answer(read_address(options.address), options, error)}"
        print(f"lodescan-conformance: {why}", file=sys.stderr)
        return 2
    failed = 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            check(peer)
        except Broken as broken:
            failed += 1
            print(f"FAIL  {name}: {shown(broken)}")
        except grpc.RpcError as error:
            failed += 1
            print(f"FAIL  {name}: the call ended with {error.code().name}: {shown(error.details())}")
        else:
            print(f"ok    {name}")
    peer.close()
    print(f"{shown(peer.description.backend)} passes {len(CHECKS) - failed} of {len(CHECKS)} checks")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
