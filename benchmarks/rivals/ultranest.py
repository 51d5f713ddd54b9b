"""UltraNest (arXiv:2101.09604): its reactive nested sampler with 400 live points, the default."""

from __future__ import annotations

from typing import Any

import numpy as np
from ultranest import ReactiveNestedSampler

from benchmarks.rivals import far


def _log_likelihood(u: Any) -> Any:
    return -np.nan_to_num(far.nll(u), nan=1e300)


def main() -> None:
    np.random.seed(far.SEED)  # noqa: NPY002
    sampler = ReactiveNestedSampler(
        [f"x{i}" for i in range(far.DIM)], _log_likelihood, transform=lambda u: u, vectorized=True
    )
    sampler.run(viz_callback=False, show_status=False, min_ess=10**7)


if __name__ == "__main__":
    main()
