"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """For processes that tests start: what is written anew within a second would be read from its old byte code.

    Not for the workers of pytest-xdist, which keep the compiled tests for the next run.
    """
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


# The same examples each time, however slow the machine is.
settings.register_profile(
    "lodescan", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lodescan")
