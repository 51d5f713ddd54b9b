"""DLScanner 1.0.1 (arXiv:2412.19675): its classifier, a network that tells good from bad, with a VEGAS map.

By default it stops if no point of its start is good, and trains again for 1,000 epochs at each 100 points; then 300
points take nearly all CPU seconds of a run. So it starts here with enough points to expect 30 good ones (at most two
thirds of the budget) and 100 epochs of batches of 256 points. Each step has 300 points and 20 epochs, and chooses from
20,000 candidates, half of which come from the map.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf
from DLScanner.gen_scanner import sampler

from benchmarks.rivals import far


def _good(u: Any) -> Any:
    return (np.nan_to_num(far.nll(u), nan=np.inf) < far.THRESHOLD).astype(float)


def main() -> None:
    np.random.seed(far.SEED)  # noqa: NPY002
    tf.random.set_seed(far.SEED)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    start = int(min(max(500, 30 / far.VOLUME), 2 * far.MOST // 3))
    scan = sampler(  # DLScanner balances the two classes only if it is verbose
        _good,
        far.DIM,
        [[0.0, 1.0]] * far.DIM,
        K=start,
        randpts=30,
        L=20_000,
        vegas_frac=0.5,
        epochs=100,
        batch_size=256,
        verbose=1,
        seed=far.SEED,
    )
    scan.K = 300
    scan.advance(sys.maxsize, epochs=20)


if __name__ == "__main__":
    main()
