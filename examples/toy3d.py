"""The toy of arXiv:2207.09959, equation (3.1): one observable of three parameters."""

from math import cos


def observable(point):
    """(2 + cos(x/7) cos(y/7) cos(z/7))^5, a number between 1 and 243."""
    return {"o3d": (2 + cos(point["x"] / 7) * cos(point["y"] / 7) * cos(point["z"] / 7)) ** 5}
