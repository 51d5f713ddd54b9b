"""The problem as a rival's script sees it: a function on the unit cube, answered by the process that started it.

So a rival's environment needs numpy and the rival, and whatever the rival does with its evaluations, they are counted.
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
"""A point is good when its NLL is below this."""
VOLUME: float = _TOLD["volume"]
"""Share of the cube that is good: more than a user knows, for settings that are kind to a rival."""
LOW: float = _TOLD["low"]
HIGH: float = _TOLD["high"]
"""The box in the problem's own units, for a rival that sees them."""
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
        os._exit(0)  # the other side says that it has enough
    return answer.copy()
