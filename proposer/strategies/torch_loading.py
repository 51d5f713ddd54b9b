"""Loads torch so that its threads sleep while they wait for each other.

By default they spin. On a machine with other work, a thread then spins for whole time slices while the one that it
waits for has no core. At a load of 18 on two cores, a scan of toy3d by MLS_DNNC needed 5 s of CPU time like this, and
more than 85 s without it.
"""

from __future__ import annotations

import os

POLICY = "OMP_WAIT_POLICY"
"""The variable of OpenMP, which its library reads once, when it is loaded."""


def load_torch() -> None:
    """Imports torch. Keeps the user's policy if there is one, and leaves the environment as it was."""
    given = os.environ.get(POLICY)
    os.environ.setdefault(POLICY, "PASSIVE")
    try:
        import torch  # noqa: F401
    finally:
        if given is None:
            del os.environ[POLICY]
