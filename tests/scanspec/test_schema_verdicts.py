"""The JSON Schema of scan files and `check` give the same verdict, on a table of mistakes and on files with one broken
value.
"""

from __future__ import annotations

import copy
import json
import random
import re
from pathlib import Path

import jsonschema
import pytest

from scanspec import ScanFileError
from scanspec.reading import read_scan_text
from scanspec.schema import schema
from tests.scanspec.schema_files import GOOD, load

VALIDATOR = jsonschema.Draft202012Validator(schema())


def refused_by_check(document):
    """Why `check` refuses the file; empty if it does not."""
    try:
        read_scan_text(Path("scan.yaml"), json.dumps(document))
    except ScanFileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", GOOD)
def test_files_with_every_key_are_accepted_by_both(name):
    document = load(GOOD[name])
    assert refused_by_check(document) == ""
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


MISTAKES = """\
setup.points: many
setup.points: 0
setup.points: 1.5
setup.seed: -1
setup.max_hours: 0
setup.goal: maps
setup.type: CMAS
setup.keep_spectra: best
setup.run_name: a/b
setup.environment: a b
setup.even_in: {x: 1}
setup.skip_slha_files: maybe
variables: {}
variables.x: [0]
variables.x: [0, 1, 2]
variables.x: {}
variables.x: {range: [1]}
variables.x: {range: [0, 1], prior: flat}
variables.x: {range: [0, 1], prior: normal}
variables.x: {range: [0, 1], prior: log-uniform}
variables.x: {range: [0, 1], prior: {type: normal, mean: 1}}
variables.x: {range: [0, 1], prior: {type: normal, mean: 1, sigma: 0}}
variables.x: {range: [0, 1], prior: {type: uniform, mean: 1}}
variables.x: {range: [0.5, 1], type: integer}
variables.x: {range: [0, 1], type: whole}
variables.x: {range: [0, 1], steps: 0}
variables.x: {values: [1, 2], range: [0, 1]}
variables.x: {values: [1, 1]}
variables.x: {range: [0, 1], periodic: true, type: integer}
variables.x: {prior: {type: uniform, low: 0}}
variables.nll: [0, 1]
codes: {}
codes.c1.function: physics.py
codes.c1.command: run
codes.c1.timeout: 0
codes.c1.memory: 8
codes.c1.cores: 1.5
codes.c2.success.exit_codes: [a]
codes.c2.profile: SPhenoo
codes.c2.flags.high: []
codes.c1.observables.o: {mean: 1}
codes.c1.observables.o: {sigma: 1}
codes.c1.observables.o: {mean: 1, sigma: 0}
codes.c1.observables.o: {mean: 1, sigma: {plus: 1, minus: 1}}
codes.c1.observables.o: {scaling: UPER, mean: 1, sigma: 1}
codes.c1.observables.o: {scaling: UPPER}
codes.c1.observables.o: {scaling: UPPER, mean: 1}
codes.c1.observables.o: {scaling: BIAS, mean: 0, sigma: 1}
codes.c1.observables.o: {scaling: CFUNCTION}
codes.c1.observables.o: {mean: 1, sigma: 1, range: [1]}
codes.c1.observables.o: {slha: MASS}
codes.c1.observables.o: {slha: [MASS, [25], 1]}
codes.c1.observables.o: {slha: [BR, 25]}
codes.c1.observables.o: {slha: [BR, 25, [5]]}
codes.c1.observables.o: {slha: [BR, [25, 5]]}
codes.c1.observables.o: {slha: [DECAY, 25]}
codes.c1.observables.o: {slha: [MASS, 25], function: x}
codes.c1.observables.o: {scale: 100}
codes.c1.observables.o: {valid: []}
codes.c1.observables.o: {measurement: true}
codes.c1.observables: {id: {mean: 1, sigma: 1}}
networks.threshold_value: [1]
networks.threshold_value: {above_best: 0}
networks.confidence: 0.95
networks.degrees_of_freedom: 2
networks.points_per_iteration: 0
networks.verbose: -1
plotting.strategy: some
plotting.plots.one.values: [x]
plotting.plots.one.ranges: [[0, 1]]
plotting.plots.one.scaling: [log]
blocks.DECAY: {'1': x}
blocks.MINPAR: {a: x}
"""


@pytest.mark.parametrize("line", MISTAKES.splitlines())
def test_a_mistake_is_refused_by_both(line):
    path, _, value = line.partition(": ")
    document = load(GOOD["LODE"])
    *parents, last = path.split(".")
    section = document
    for key in parents:
        section = section[key]
    section[last] = load(value)
    assert refused_by_check(document)
    assert not VALIDATOR.is_valid(document)


CANNOT_BE_SAID = re.compile(
    "is not a variable or obs|is not an? (obs|expression)|known are|is a variable;|is computed|belongs to no code"
    "|uses '|cannot be read|after the prior|the range is empty|needs a range above 0|not symmetric|diagonal"
    "|positive definite|one for each observable|numbers?, but there are|name of a file beside|high\\] for points"
)
"""What JSON Schema cannot say: names that the file defines, expressions, other files, two numbers compared."""

BROKEN = [
    None,
    "many",
    0,
    -1,
    1,
    2.5,
    True,
    [],
    [1],
    [1, 2],
    ["a"],
    [1, 1],
    [3, "b"],
    {},
    {"a": 1},
    "",
    "inf",
    "-2",
    [[1]],
    "a:b",
    1e17,
    "normal",
    "log-uniform",
    "UPPER",
    "OFF",
    "x",
]


def places(content, before=()):
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield *before, key
        yield from places(value, (*before, key))


def breakings(count):
    """Files with one value removed or broken, chosen at random with a fixed seed."""
    draws = random.Random(1)
    good = {name: load(text) for name, text in GOOD.items()}
    every = [(name, place) for name, document in good.items() for place in places(document)]
    for name, place in draws.choices(every, k=count):
        document = copy.deepcopy(good[name])
        section = document
        for key in place[:-1]:
            section = section[key]
        if draws.random() < 0.1:
            del section[place[-1]]
        else:
            section[place[-1]] = draws.choice(BROKEN)
        yield f"{name}: {place}", document


BSMARTS = ("setup', 'focus'",)
"""Values with a spelling of BSMArt, which `check` reads and the schema does not describe."""


@pytest.mark.slow
def test_a_broken_value_is_judged_alike():
    """An editor marks nothing that a scan accepts, and all that JSON Schema can say of what a scan refuses."""
    refused = 0
    for where, document in breakings(120):
        why, valid = refused_by_check(document), VALIDATOR.is_valid(document)
        refused += bool(why)
        if any(words in where for words in BSMARTS):
            continue
        assert valid or why, f"the schema alone refuses {where}: {json.dumps(document)}"
        if valid and why:
            assert CANNOT_BE_SAID.search(why), f"only check refuses {where}: {why}"
    assert 30 < refused < 110
