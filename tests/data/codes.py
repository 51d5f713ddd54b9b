"""Physics codes in Python that behave and misbehave, by the value of `mode`."""

import ctypes
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from evaluator import InvalidPoint

HERE = Path(__file__).parent


def square(point):
    """A code that takes no time."""
    return {"y": point["x"] ** 2}


def slow_square(point):
    """Sleeps for `pause` seconds."""
    time.sleep(point["pause"])
    return {"y": point["x"] ** 2}


def gated(point):
    """Writes a file beside the scan when it begins; with `held` it then waits until a test writes another file."""
    if point["held"]:
        name = f"{point['x']:g}"
        (HERE / f"began-{name}").touch()
        time.sleep(0.01)  # long enough that the evaluator sends no other point with it
        while not (HERE / f"go-{name}").exists():
            time.sleep(0.01)
    return {"y": point["x"] ** 2}


def misbehave(point):
    """Modes 0 and 1 behave well."""
    match int(point["mode"]):
        case 2:
            return {"y": math.nan}
        case 3:
            raise InvalidPoint("the potential is unbounded")
        case 4:
            raise RuntimeError("no convergence\n\x1b[31mafter 50 steps")
        case 5:
            return {}
        case 6:
            return {"y": "many"}
        case 7:
            return 7
        case 8:
            os._exit(3)
        case 9:
            ctypes.string_at(0)
        case 10:
            while True:
                pass
        case 11:
            libc = ctypes.PyDLL(None)  # a call through it keeps the interpreter locked, and goes on after a signal
            while libc.usleep(900_000):
                pass
            for _ in range(1000):
                libc.sleep(1000)
        case 12:
            re.match(r"(a+)+$", "a" * 64 + "b")
        case 13:
            while True:
                print("x" * 100_000)
        case 14:
            with open(point.folder / "large", "wb") as file:
                while True:
                    file.write(bytes(2**20))
        case 15:
            sys.exit(5)
        case 16:
            while True:
                try:
                    time.sleep(1000)
                except BaseException:  # noqa: BLE001  # some codes catch everything
                    continue
        case 17:  # starts programs, then dies
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            subprocess.Popen(["sleep", "1000"])
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(1)
        case 18:
            raise MemoryError
        case 19:
            bytearray(2**45)
        case 20:
            point.folder.joinpath("note").write_text("kept")
            time.sleep(1000)
        case 21:
            os.abort()
        case 24:
            point.folder.joinpath("note").write_text("left behind")
            os._exit(4)
        case 22:
            return {"y": 2.0, "more": 3.0}
        case 23:
            return {"y": 10**400}
    return {"y": point["x"] ** 2}
