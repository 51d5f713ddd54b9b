"""What all tests share."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """Processes that tests start write no byte code: a file that a test changes within a second would be read from its
    old byte code. The workers of pytest-xdist do write it, so that the next run finds compiled tests.
    """
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        gc.disable()


def pytest_collection_finish() -> None:
    """What was imported and collected stays: to scan it again and again takes a tenth of the time of the tests."""
    gc.freeze()
    gc.enable()


# Hypothesis tries the same examples in every run, however slow the machine is.
settings.register_profile(
    "lodescan", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lodescan")
