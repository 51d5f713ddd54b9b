"""`lodescan-evaluator serve` as a process in any environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether a condition comes true within the time, which allows for a busy machine."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def resident(pid: int | str = "self") -> float:
    """MiB of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


class ServeProcess:
    """An evaluator of the scan file `file` on loopback. `address`: where it answers. `log`: the file with its output.

    `python`: the interpreter of its environment. `before`: Python that its process runs first.
    """

    def __init__(
        self,
        scan: Path,
        log: Path,
        *,
        python: str | Path = sys.executable,
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        before: str = "",
        patience: float = 60.0,
    ) -> None:
        self.file, self.log, self._patience = scan, log, patience
        self._address_file = log.with_name(f"{log.name}-address")
        main = ["-c", f"{before}\nfrom evaluator.__main__ import main\nraise SystemExit(main())"]
        self._command = [str(python), *(main if before else ["-m", "evaluator"]), "serve", str(scan)]
        self._command += ["--address-file", str(self._address_file)]
        self._options = options
        self._variables = os.environ | (variables or {})
        self.start()

    def start(self, port: int = 0) -> None:
        """Starts it, and waits until it answers; raises RuntimeError with its log if it does not."""
        self._address_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "--listen", f"127.0.0.1:{port}", *self._options],
                cwd=ROOT,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if not wait_until(lambda: self._address_file.exists() or self.process.poll() is not None, self._patience):
            self.kill()
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text())
        self.address = self._address_file.read_text().strip()

    def kill(self) -> None:
        """Kills it with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends it with SIGTERM, so that it ends in order."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
