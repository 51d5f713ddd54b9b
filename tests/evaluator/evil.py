"""A Python function that harms its process as a test says, in one way for each `mode` of a point."""

FUNCTION = """
import ctypes, gc, os, pty, random, signal, subprocess, sys, time
import multiprocessing
from pathlib import Path
import numpy as np

HERE = Path(__file__).parent
rng = np.random.default_rng(3)
KEPT = []
LIBC = ctypes.CDLL(None)

def note(pid):
    with open(HERE / "pids", "a") as file:
        file.write(f"{pid}\\n")

def background():
    time.sleep(1000)

def f(point):
    way = HOW.get(int(point["mode"]))
    if way is not None:
        found = way(point)
        if found is not None:
            return {"y": found}
    return {"y": point["x"]}
"""


def write_evil(folder, *ways, timeout=20):
    """Writes the scan into a folder and returns its file. `ways`: Python code for the modes 1, 2, ..., each the body of
    a function of `point`. Its result is the observable; without a result, as in mode 0, the observable is x.
    """
    text = FUNCTION
    for number, way in enumerate(ways, start=1):
        body = "".join(f"    {line}\n" for line in way.splitlines())
        text += f"\ndef way{number}(point):\n{body}"
    text += "\nHOW = {" + ", ".join(f"{n}: way{n}" for n in range(1, len(ways) + 1)) + "}\n"
    (folder / "evil.py").write_text(text)
    scan = folder / "scan.yaml"
    scan.write_text(
        "variables: {x: [0, 1e6], mode: [0, 100]}\n"
        f"codes:\n  toy:\n    function: evil:f\n    timeout: {timeout}\n"
        "    observables: {y: {mean: 1, sigma: 1}}\n"
    )
    return scan
