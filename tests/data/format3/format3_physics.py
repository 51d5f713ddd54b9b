import math
import time

from evaluator import InvalidPoint


def first(point):
    m0, other = point["m0"], point["M0"]
    time.sleep(0.02)
    if m0 < 120:
        raise InvalidPoint("too light")
    if 900 < m0 < 990:
        return {"mh": m0 / 1000}
    return {"mh": m0 / 1000, "width": math.nan if other > 0.5 else math.inf if other < -0.8 else other}


def second(point):
    return {"omega": -point["M0"]}
