"""Checks the surroundings of a new evaluator: the current folder, and the limit of open files."""

from __future__ import annotations

import os
import resource

from scanspec import UsageError

FEWEST_FILES = 64
"""The smallest limit of open files. gRPC opens about twenty, and each worker a few. With fewer, libraries end the
process without a clear message.
"""


def check_surroundings() -> None:
    """Raises UsageError if an evaluator cannot run here."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UsageError(
            "the current folder does not exist any more",
            next_step="change to another folder, and give the command again",
        ) from None
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < FEWEST_FILES:
        raise UsageError(
            f"this shell allows {allowed} open files, but an evaluator needs at least {FEWEST_FILES}",
            next_step="raise the limit with `ulimit -n 1024`, and give the same command again",
        )
