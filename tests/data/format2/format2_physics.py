import math
import os
import time

from evaluator import InvalidPoint


def first(point):
    m0, other = point["m0"], point["M0"]
    time.sleep(0.03)
    if m0 < 120:
        raise InvalidPoint("too light")
    if 0.59 < other < 0.64:
        time.sleep(3)
    if 900 < m0 < 990:
        return {"mh": m0 / 1000}
    if 0.18 < other < 0.185:
        os.kill(os.getpid(), 9)
    return {"mh": m0 / 1000, "width": math.nan if other > 0.5 else math.inf if other < -0.8 else other}


def second(point):
    return {"omega": -point["M0"]}
