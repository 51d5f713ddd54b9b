"""Signals that ask a command to end."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proposer.commands.main import COMMANDS, main
from proposer.signals import Interrupted, interruptible
from scanspec import LodescanError

ROOT = Path(__file__).parents[2]

SLOW = """
import os, signal, time
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0.2)
WHOLE = True
"""


def test_a_signal_during_an_import_ends_the_command_after_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


CALLED_BY_AN_IMPORT = """
import os, signal, time
from proposer.signals import interruptible_call

with interruptible_call():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)
"""


def test_a_call_by_a_module_that_is_imported_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scans_when_imported.py").write_text(CALLED_BY_AN_IMPORT)
    monkeypatch.syspath_prepend(tmp_path)
    before, begun = signal.signal(signal.SIGINT, signal.default_int_handler), time.monotonic()
    try:
        with pytest.raises(Interrupted):
            importlib.import_module("scans_when_imported")
        assert time.monotonic() < begun + 10
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


INTERRUPTED_AT_FIRST_USE = """
import os, signal, sys, time

class Interrupting:
    def find_spec(name, *_):
        if name == "numpy.linalg":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs this test may ignore it
sys.meta_path.insert(0, Interrupting)
import proposer
try:
    proposer.Lode
    time.sleep(20)
except KeyboardInterrupt:
    print(proposer.Lode.__name__)
"""


@pytest.mark.slow
def test_an_interrupt_while_the_python_interface_loads_leaves_it_usable() -> None:
    program = [sys.executable, "-c", INTERRUPTED_AT_FIRST_USE]
    ended = subprocess.run(program, capture_output=True, timeout=60, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"Lode\n", b"")


INTERRUPTED_WHILE_IT_LOADS = """
import os, signal, sys

class Interrupting:
    def find_spec(name, *_):
        if name == "scanspec":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs this test may ignore it
sys.meta_path.insert(0, Interrupting)
sys.argv[1:] = ["check", "scan.yaml"]
from SIDE.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("side", ["proposer", "evaluator"])
def test_a_command_interrupted_while_it_loads_prints_nothing(side: str) -> None:
    program = [sys.executable, "-c", INTERRUPTED_WHILE_IT_LOADS.replace("SIDE", side)]
    ended = subprocess.run(program, capture_output=True, timeout=60, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_an_interrupt_while_an_error_is_printed_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Told(LodescanError):
        def tell(self) -> str:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(20)
            return ""

    def fails(_: object) -> int:
        raise Told("no")

    monkeypatch.setitem(COMMANDS, "status", fails)
    assert main(["status", "run"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == "lodescan: interrupted; give the same command again to continue\n"
