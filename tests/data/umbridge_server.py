"""A UM-Bridge server, made with the package umbridge, whose models work or fail.

usage: umbridge_server.py PORT; it listens on 127.0.0.1 alone.
"""

import functools
import math
import os
import sys

import umbridge
from aiohttp import web


class Model(umbridge.Model):
    """Two input vectors, of 2 and 1 numbers; two output vectors, of 1 and 2."""

    def __init__(self, name, function):
        super().__init__(name)
        self.function = function

    def get_input_sizes(self, config):
        return [2, 1]

    def get_output_sizes(self, config):
        return [1, 2]

    def __call__(self, parameters, config):
        return self.function(parameters, config)

    def supports_evaluate(self):
        return self.name != "useless"


def right(parameters, config):
    (x, y), (z,) = parameters
    return [[config.get("factor", 1) * (x + y)], [y * z, z]]


def fails(parameters, config):
    raise RuntimeError("the model broke")


MODELS = {
    "right": right,
    "fails": fails,
    "nan": lambda parameters, config: [[math.nan], [1.0, 2.0]],
    "inf": lambda parameters, config: [[math.inf], [1.0, 2.0]],
    "text": lambda parameters, config: [["one"], [1.0, 2.0]],
    "short": lambda parameters, config: [[1.0], [2.0]],
    "flat": lambda parameters, config: [1.0, 2.0, 3.0],
    "dies": lambda parameters, config: os._exit(1),
    "useless": right,
}

if __name__ == "__main__":
    web.run_app = functools.partial(web.run_app, host="127.0.0.1", print=None)
    umbridge.serve_models([Model(*model) for model in MODELS.items()], int(sys.argv[1]))
