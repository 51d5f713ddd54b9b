"""CMA-ES with restarts, with small and large populations in turn (BIPOP, Hansen 2009), by `cma.fmin2`."""

from __future__ import annotations

import itertools

import cma
import numpy as np

from benchmarks.rivals import far


def main() -> None:
    for turn in itertools.count():
        rng = np.random.default_rng([far.SEED, turn])
        options = {"bounds": [0.0, 1.0], "seed": far.SEED + 1000 * turn + 1, "verbose": -9, "tolx": 1e-4}
        cma.fmin2(
            lambda u: float(np.nan_to_num(far.nll(u)[0], nan=1e300)),
            lambda rng=rng: rng.random(far.DIM),
            0.3,
            options,
            restarts=9,
            bipop=True,
        )


if __name__ == "__main__":
    main()
