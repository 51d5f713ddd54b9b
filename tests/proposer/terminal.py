"""A program on a terminal of 80 columns and 24 lines, as a user sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Self

import pyte

ROOT = Path(__file__).parents[2]


class Terminal:
    """Runs a Python program behind a pseudo-terminal, and keeps what its screen shows."""

    def __init__(
        self,
        program: str,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        term: str = "xterm-256color",
        echo: bool = False,
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        modes = termios.tcgetattr(theirs)
        if not echo:
            modes[3] &= ~termios.ECHO  # since nobody types
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        } | {"TERM": term}
        self.process = subprocess.Popen(
            [sys.executable, *((program, *arguments) if program == "-m" else ("-c", program, *arguments))],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env=environment,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def shown(self) -> list[str]:
        """The lines that have scrolled away, and then those on the screen."""
        above = ["".join(line[x].data for x in range(self.screen.columns)) for line in self.screen.history.top]
        return [line.rstrip() for line in (*above, *self.screen.display)]

    def read(self, seconds: float) -> bool:
        """Reads output that comes within this time; False at the end of the program."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            content = os.read(self._ours, 65536)
        except OSError:  # the program has closed its side
            content = b""
        self._stream.feed(content)
        return bool(content)

    def enter(self, text: str = "") -> None:
        """Types a text and the return key."""
        os.write(self._ours, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Presses Ctrl-C: a terminal with echo shows `^C`, and the program gets SIGINT."""
        os.write(self._ours, b"\x03")
        content = b""
        while b"^C" not in content:
            content += os.read(self._ours, 65536)
        self._stream.feed(content)
        self.process.send_signal(signal.SIGINT)

    def wait_for(self, there: Callable[[list[str]], bool], seconds: float = 120.0) -> list[str]:
        """Waits until the screen fulfils the condition."""
        deadline = time.monotonic() + seconds
        while not there(self.shown):
            assert time.monotonic() < deadline and self.read(0.1), "\n".join(self.shown)
        return self.shown

    def answer(self, is_shown: Callable[[str, list[str]], bool], turns: Iterable[tuple[str, str]]) -> None:
        """Waits for each question, and then types its answer."""
        for question, answer in turns:
            self.wait_for(partial(is_shown, question))
            self.enter(answer)

    def wait(self, seconds: float = 60.0) -> int:
        """Waits for the end of the program; gives its exit code."""
        deadline = time.monotonic() + seconds
        while self.read(0.1):
            assert time.monotonic() < deadline, "\n".join(self.shown)
        return self.process.wait(10)
