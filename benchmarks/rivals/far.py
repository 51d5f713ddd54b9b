"""The problem for the script of another scanner: a function on the unit cube, answered by the process that started the
script. So the environment of the scanner needs only numpy and the scanner, and all of its evaluations are counted.
"""

from __future__ import annotations

import json
import os
import resource
import struct
from typing import Any

import numpy as np

_TOLD = json.loads(os.environ["RIVAL_TOLD"])
_ANSWERS, _QUESTIONS = os.fdopen(_TOLD["read"], "rb"), os.fdopen(_TOLD["write"], "wb")

DIM: int = _TOLD["dim"]
SEED: int = _TOLD["seed"]
THRESHOLD: float = _TOLD["threshold"]
"""A point is good if its NLL is below this."""
VOLUME: float = _TOLD["volume"]
"""The good share of the cube. A user does not know it; it allows settings that favour the other scanner."""
LOW: float = _TOLD["low"]
HIGH: float = _TOLD["high"]
"""The box in the units of the problem, for scanners that need these."""
MOST: int = _TOLD["most"]
"""Evaluations after which the process is ended."""

resource.setrlimit(resource.RLIMIT_CPU, (_TOLD["cpu_seconds"], _TOLD["cpu_seconds"] + 5))


def nll(u: Any) -> Any:
    """NLL of points in the unit cube: shape (n, d) to (n,), NaN where a point is invalid."""
    points = np.ascontiguousarray(u, dtype=np.float64).reshape(-1, DIM)
    _QUESTIONS.write(struct.pack("<q", len(points)) + points.tobytes())
    _QUESTIONS.flush()
    answer = np.frombuffer(_ANSWERS.read(8 * len(points)), dtype=np.float64)
    if len(answer) < len(points):
        os._exit(0)  # the other side says that the run has ended
    return answer.copy()
