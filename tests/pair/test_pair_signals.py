"""`lodescan` under nohup goes on when its terminal closes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys
from proposer.signals import interruptible
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
with interruptible():
    print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, callable(signal.getsignal(signal.SIGTERM)))
"""


@pytest.mark.parametrize("before", ["ignored", "default"])
def test_a_hang_up_that_is_ignored_stays_ignored(before: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, before],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the handler that a shell sets
    )
    assert done.stdout.split() == [str(before == "ignored"), "True"]
