"""The number of threads with which LODE computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """In the block, torch and the linear algebra of numpy and scipy use one thread. The matrices are small, so more
    threads gain little, and on a busy machine they cost ten times as much. Sums over several threads also differ in
    their last digits, and then so do the points of a seed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        torch.set_num_threads(threads)
