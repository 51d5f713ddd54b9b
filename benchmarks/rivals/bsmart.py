"""BSMArt 2.0.2 (arXiv:2301.01154, GPL-3, from its package), started at its own entry point as a user does.

usage: bsmart.py dnnc | dnnc-default | cmaes-nd. `dnnc` has enough bootstrap points to expect 30 good ones (at most two
thirds of the budget), 20,000 candidates, and a random share of 0.1. `cmaes-nd` is CMA-ES with novelty detection
(arXiv:2402.07661); novelty is measured in the variables, and a generation has 16 points.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import tempfile
from typing import Any

import numpy as np

from benchmarks.rivals import far

_TOOL = """
from benchmarks.rivals import far
from bsmart.HEPRun import HepTool


class NewTool(HepTool):
    def run(self, spc_file, temp_dir, log, data_point):
        value = float(far.nll([(x - far.LOW) / (far.HIGH - far.LOW) for x in data_point.inputs])[0])
        if value != value:
            raise ValueError("unphysical")
        data_point.obs_dict["nll"] = value
"""
_LARGEST = math.log(1.0 + sys.float_info.max) + 1.0


def _scan_file(what: str) -> dict[str, Any]:
    setup: dict[str, Any] = {
        "RunName": "run",
        "Cores": 1,
        "csv": "False",
        "Points": 10**9,
        "Output File": "out",
        "Skip SLHA Files": "True",
        "StoreAllPoints": "False",
    }
    observable: dict[str, Any] = {"SCALING": "MINUSEXPUSER"}
    networks: dict[str, Any] = {}
    if what == "cmaes-nd":
        half = far.THRESHOLD / 2.0
        observable = {"SCALING": "CFUNCTION", "MEAN": half, "VARIANCE": half}
        setup |= {
            "Type": "CMAES_ND",
            "Store In Memory": "True",
            "Store Invalid": "True",
            "CMAESPopulationSize": 16,
            "CMAESMaxGenerations": 10**6,
            "CMAESGoodPointsEarlyStop": 10**9,
            "CMAESFocus": {"Variables": [f"x{i}" for i in range(far.DIM)], "Observables": []},
        }
    else:
        setup["Type"] = "MLScanner.MLS_DNNC"
        # BSMArt caps the losses before the comparison
        networks["Threshold_Value"] = -_LARGEST * math.expm1(-far.THRESHOLD / _LARGEST)
        if what == "dnnc":
            networks |= {
                "Bootstrap_Points": int(min(max(500, 30 / far.VOLUME), 2 * far.MOST // 3)),
                "Candidate_Points": 20_000,
                "Points_Per_Iteration": 300,
                "Random_Fraction": 0.1,
            }
    return {
        "Codes": {"far_tool": {"Run": "True", "Observables": {"nll": observable}}},
        "Setup": setup,
        "Variables": {f"x{i}": {"RANGE": [far.LOW, far.HIGH]} for i in range(far.DIM)},
        "Observables": {},
        "Networks": networks,
    }


def main() -> None:
    what = sys.argv[1]
    random.seed(far.SEED)
    np.random.seed(far.SEED)  # noqa: NPY002
    import torch

    torch.manual_seed(far.SEED)
    torch.set_num_threads(1)
    from bsmart.scripts import bsmart_run

    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        os.mkdir("Tools")
        with open("Tools/far_tool.py", "w") as file:
            file.write(_TOOL)
        with open("in.json", "w") as file:
            json.dump(_scan_file(what), file)
        sys.argv = ["BSMArt", "in.json", "--NoMPI"]
        bsmart_run.main()


if __name__ == "__main__":
    main()
