"""The same cost in BSMArt 2.0.2, which writes a CSV file, in its own environment and in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path(".envs/bsmart")
PACKAGE = "bsmart==2.0.2"

# Runs in BSMArt's environment: a tool that takes no time, called by BSMArt's run manager.
_PROGRAM = '''
import contextlib, importlib, json, os, resource, sys, tempfile, time
import numpy as np
from bsmart import debug

TOOL = """
from bsmart.HEPRun import HepTool


class NewTool(HepTool):
    def run(self, spc_file, temp_dir, log, data_point):
        data_point.obs_dict["nll"] = 1.0
"""
with tempfile.TemporaryDirectory() as work:
    os.makedirs(work + "/Tools")
    with open(work + "/Tools/free_tool.py", "w") as file:
        file.write(TOOL)
    for cores in (1, 2):
        os.chdir(work)  # a scan leaves another folder behind
        inputs = {
            "Codes": {"free_tool": {"Run": "True", "Observables": {"nll": {"SCALING": "MINUSEXPUSER"}}}},
            "Setup": {"RunName": "run", "Type": "Random", "Cores": cores, "csv": "True", "Points": 1, "debug": "False",
                      "Output File": "out", "Skip SLHA Files": "True", "StoreAllPoints": "False",
                      "cwd": work, "TempDir": tempfile.mkdtemp(dir=work), "MAINpath": work},
            "Variables": {f"x{i}": {"RANGE": [0.0, 1.0]} for i in range(4)},
            "Observables": {}, "MPI": {"Size": 0, "Rank": 0},
        }
        log = debug.new_logger(False, f"o{cores}", work + "/log")
        scan = importlib.import_module("bsmart.scans.Random").NewScan(inputs, log)
        for batch, n in ((1, 50), (64, 640), (1000, 1000)):
            points = np.random.default_rng(0).random((n, 4)).tolist()
            costs = []
            for _ in range(3):
                def cpu():
                    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
                    return sum(usage.ru_utime + usage.ru_stime for usage in used)
                before, start = cpu(), time.perf_counter()
                with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
                    for first in range(0, n, batch):
                        scan.RunManager.run_batch(points[first:first + batch])
                costs.append((time.perf_counter() - start, cpu() - before))
            wall, used = sorted(costs)[1]
            found = {"cores": cores, "batch": batch, "wall": 1e6 * wall / n, "cpu": 1e6 * used / n}
            print("\\n" + json.dumps(found), file=sys.stderr, flush=True)
    os.chdir("/")
'''


def bsmart_costs() -> list[tuple[int, int, float, float]] | None:
    """For each run: cores, points in a batch, and microseconds of wall time and of CPU a point; None if BSMArt cannot
    be installed or run.
    """
    python = ENVIRONMENT / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
            subprocess.run([python, "-m", "pip", "install", "-qq", PACKAGE], check=True)
        done = subprocess.run([python, "-c", _PROGRAM], capture_output=True, text=True, timeout=300, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"BSMArt cannot be measured here: {error}")
        return None
    rows = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    if len(rows) < 6:
        print(f"BSMArt ended after {len(rows)} of 6 measurements: {done.stderr[-200:].strip()}")
    return [(row["cores"], row["batch"], row["wall"], row["cpu"]) for row in rows]
