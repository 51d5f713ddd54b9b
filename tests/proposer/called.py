"""Scans of Python functions, as a notebook calls them."""

from __future__ import annotations

import proposer

SCRIPT = """
import math, time, proposer

def ring(point):
    time.sleep(0.01)
    return {"radius": math.hypot(point["x"], point["y"])}

problem = proposer.Problem(
    variables={"x": (-3, 3), "y": (-3, 3)}, observables={"radius": (2.0, 0.3)}, code=ring, threshold=2.0, points=40,
    setup={"type": "RANDOM"},
)
print(proposer.scan(problem, folder="run", seed=1, workers=2, report=False))
"""


def problem(code, **others):
    settings = {"threshold": 2.0, "points": 40, "setup": {"type": "RANDOM", "max_evaluations": 300}, **others}
    observables = {"radius": (2.0, 0.3)}
    return proposer.Problem(
        **{"variables": {"x": (-3, 3), "y": (-3, 3)}, "observables": observables, **settings, "code": code}
    )


def scan(what, folder, workers=2):
    return proposer.scan(what, folder=folder, seed=1, workers=workers, quiet=True, report=False)
