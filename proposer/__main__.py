"""The program `lodescan`. Until its commands are loaded, Ctrl-C ends it at once, without a message."""

import _signal as signal  # type: ignore[import-not-found]  # `signal` takes as long to import as Python to start
import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; see `proposer.commands.main`. Without `arguments`, those of the process are used, and Ctrl-C
    may end it.
    """
    if arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Ctrl-C is not ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from proposer.commands.main import main as command

    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
