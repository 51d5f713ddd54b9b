"""The program `lodescan-evaluator`. Until its commands are loaded, Ctrl-C ends it at once, without a message."""

import _signal as signal  # type: ignore[import-not-found]  # `signal` takes as long to import as Python to start
import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; see `evaluator.commands.main`. Without `arguments`, those of the process are used, and Ctrl-C
    may end it.
    """
    # False if Ctrl-C is ignored, as for a job in the background
    interrupts = arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interrupts:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from evaluator.commands.main import main as command

    if interrupts:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
