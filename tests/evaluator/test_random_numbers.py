"""Random numbers belong to their point, however a function comes to its generator."""

import random
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

POINTS = """
from pathlib import Path
{top}
from evaluator.executors.surroundings import Surroundings

numbers = Surroundings(Path("/nowhere"))
for point in range(9):
    numbers.seed(point, [0.5])
    if point in (3, 4, 7):
        print({draw})
"""
WAYS = {
    "a module": ("import random", "random.random()"),
    "an import in the function": ("", "__import__('random').random()"),
    "a function": ("from random import random", "random()"),
    "a default argument": ("import random\ndef draw(of=random.random):\n    return of()", "draw()"),
    "an attribute of a class": ("import random\nclass Toy:\n    draw = random.random", "Toy.draw()"),
    "the generator": ("from random import _inst", "_inst.random()"),
    "its contents": ("import random", "vars(random)['random']()"),
    "its contents, held": ("import random\nspace = vars(random)", "space['random']()"),
}
NUMPY = {
    "numpy": ("import numpy as np", "np.random.normal()"),
    "a function of numpy": ("from numpy.random import normal", "normal()"),
    "the generator of numpy": ("from numpy.random import mtrand", "mtrand._rand.normal()"),
    "numpy's generator, held": ("from numpy.random.mtrand import _rand", "_rand.normal()"),
}


def printed(top, draw):
    command = [sys.executable, "-c", POINTS.format(top=top, draw=draw)]
    return [float(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.split()]


def seed(point):
    return zlib.crc32(struct.pack("<Qd", point, 0.5))


@pytest.mark.parametrize(("top", "draw"), WAYS.values(), ids=WAYS)
def test_numbers_of_python_follow_from_the_point(top, draw):
    assert printed(top, draw) == [random.Random(seed(point)).random() for point in (3, 4, 7)]


def test_a_normal_number_of_python_leaves_no_second_one_for_the_next_point():
    drawn = printed("import random", "random.gauss(0, 1)")
    assert drawn == [random.Random(seed(point)).gauss(0, 1) for point in (3, 4, 7)]


@pytest.mark.parametrize(("top", "draw"), NUMPY.values(), ids=NUMPY)
def test_numbers_of_numpy_follow_from_the_point(top, draw):
    assert printed(top, draw) == [np.random.RandomState(seed(point)).normal() for point in (3, 4, 7)]


@pytest.mark.parametrize("name", ["sample", "ranf", "random_sample"])
def test_numbers_of_plain_functions_of_numpy_follow_from_the_point(name):
    drawn = printed(f"from numpy.random import {name} as draw", "draw()")
    assert drawn == [np.random.RandomState(seed(point)).random_sample() for point in (3, 4, 7)]


def test_a_seed_of_the_function_itself_is_kept_at_each_point():
    top = "from numpy.random import normal, seed\ndef draw():\n    seed(7)\n    return normal()"
    assert printed(top, "draw()") == [np.random.RandomState(7).normal()] * 3
