#!/usr/bin/env python3
"""Imitates simsusy, which answers a tachyon with exit code 1, no output and a traceback; other faults give other
messages.
"""

import math
import sys

source, target = sys.argv[1:]
with open(source) as file:
    mode = next(float(line.split()[1]) for line in file if line.split()[0] == "1")
if mode == 2:
    math.sqrt(-1)
if mode == 3:
    raise KeyError("('MINPAR', 4) is not specified")
with open(target, "w") as file:
    file.write("Block MASS\n 25 8.9E+01\n")
