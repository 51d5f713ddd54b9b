"""nautilus 1.0.6 (arXiv:2306.16923). usage: nautilus.py [flat]

With `flat`, the likelihood is flat inside the good region, so that it maps the region and does not climb to its best
point, and there are 300 live points instead of 500.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from nautilus import Sampler

from benchmarks.rivals import far


def main() -> None:
    flat = sys.argv[1:] == ["flat"]

    def log_likelihood(u: Any) -> Any:
        nll = np.nan_to_num(far.nll(u), nan=1e300)
        return -np.maximum(nll, 0.999 * far.THRESHOLD) if flat else -nll

    sampler = Sampler(
        lambda u: u,
        log_likelihood,
        n_dim=far.DIM,
        n_live=300 if flat else 500,
        vectorized=True,
        pass_dict=False,
        seed=far.SEED,
    )
    sampler.run(n_eff=10**7, verbose=False)


if __name__ == "__main__":
    main()
