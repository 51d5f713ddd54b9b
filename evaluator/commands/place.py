"""Where an evaluator is started: the folder, and how many files it may open."""

from __future__ import annotations

import os
import resource

from scanspec import UsageError

FEWEST_FILES = 64
"""gRPC takes about twenty, and each worker a handful; below, libraries end the process without a word that helps."""


def check_place() -> None:
    """Raises UsageError where an evaluator could not run at all."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UsageError(
            "the folder in which this command was given is no longer there",
            next_step="cd to another folder, and give the command again",
        ) from None
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < FEWEST_FILES:
        raise UsageError(
            f"this shell allows {allowed} open files, and an evaluator needs {FEWEST_FILES} or more",
            next_step="raise that with `ulimit -n 1024`, and give the same command again",
        )
