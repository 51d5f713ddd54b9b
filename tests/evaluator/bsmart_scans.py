"""A scan file of BSMArt that tests change: strict JSON with BSMArt's keys."""

import json
import shutil

from tests.evaluator.harness import DATA, PROGRAMS

TEMPLATE = """Block MODSEL
 1 mode  # picks what the imitated program does
Block MINPAR
 3 2*VARIABLE[0]+VARIABLE[2]   # an expression
 4 1D2
 21 mu**2
Block EXTPAR
 5 math.sqrt(musq)
"""


# imitates SPheno's call; its inputs come back in the block of that name, so that tests can read them
SPHENO = """#!/bin/sh
sed 's/MINPAR/READBACK/; s/EXTPAR/READBACK2/; /MODSEL/d' "$1" > read
cat - read > "$2" <<'END'
Block SPINFO
 1 SPheno
Block MASS
 25 1.25E+02
 36 NaN
 1000022 -9.7E+01
Block ALPHA
 -1.1E-01
DECAY 25 4.1E-03
 5.8E-01 2 5 -5
DECAY1L 25 4.2E-03
 5.5E-01 2 5 -5
XSECTION 1.30E+04 2212 2212 2 1000022 1000024
 0 0 0 0 0 10042 2.5E-02 somebody 1.0
BLOCK PROCESS ATLAS_1
 XS 1.5
END
"""


BASE = {
    "Setup": {"RunName": "old", "Type": "MLScanner.MLS_DNNC", "Cores": 4, "csv": "True", "StoreAllPoints": "False"},
    "Variables": {"mode": {"RANGE": [0, 9]}, "mu": {"RANGE": [1000, 100], "PRIOR": "LOG"}, "2-x": {"RANGE": [0, 1]}},
    "Derived Variables": {"musq": "mu**2", "half": "musq/2"},
    "Codes": {
        "SPheno": {
            "Run": "True",
            "InputFile": "in.slha",
            "OutputFile": "SPheno.spc",
            "Command": "./spheno",
            "Observables": {"mh": {"SLHA": ["MASS", [25]], "SCALING": "GAUSS", "MEAN": 125, "VARIANCE": "2"}},
        }
    },
    "Networks": {},
}


OBS = "Codes/SPheno/Observables/"
"""The path of keys to the observables of its code."""


def write_beside(folder):
    """Writes the files that the scan needs beside it."""
    (folder / "in.slha").write_text(TEMPLATE)
    (folder / "spheno").write_text(SPHENO)
    (folder / "spheno").chmod(0o755)
    for path in (*PROGRAMS.iterdir(), *(DATA / "profiles").iterdir()):
        shutil.copy(path, folder)


def changed(changes, order=None):
    """The scan as JSON, with changes: each is a path of keys and a value. `order`: the order of its codes."""
    content = json.loads(json.dumps(BASE))
    for keys, value in dict(changes).items():
        at = content
        *path, last = keys.split("/")
        for key in path:
            at = at.setdefault(key, {})
        at[last] = value
    if order:
        content["Codes"] = {name: content["Codes"][name] for name in order}
    return json.dumps(content, indent=1)
