"""Signals that ask a command to end."""

import importlib
import sys
import time
from pathlib import Path

import pytest

from proposer.commands.signals import Interrupted, interruptible

SLOW = """
import os, signal, time
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0.2)
WHOLE = True
"""


def test_a_module_is_loaded_as_a_whole_before_its_command_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_load.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    begun = time.monotonic()

    def command() -> None:
        with interruptible():
            importlib.import_module("slow_to_load")
            while time.monotonic() < begun + 20:
                time.sleep(0.01)

    with pytest.raises(Interrupted):
        command()
    assert sys.modules.pop("slow_to_load").WHOLE
    assert time.monotonic() < begun + 10
