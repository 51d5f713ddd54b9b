"""What all tests share."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(autouse=True)
def own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forgets the modules that a test has imported from its folder: those of a later test may have the same names."""
    modules, path = {*sys.modules}, [*sys.path]
    yield
    sys.path[:] = path
    tests = str(tmp_path_factory.getbasetemp())
    for name in {*sys.modules} - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(tests):
            del sys.modules[name]


@pytest.fixture(scope="session")
def with_pyarrow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of a process that has pyarrow of locks/parquet.txt, too. The environments of the tests
    do not have it, because most users do not, and pandas works in another way beside it.
    """
    folder = tmp_path_factory.mktemp("pyarrow")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-deps", "--target"]
    lock = Path(__file__).parents[1] / "locks/parquet.txt"
    subprocess.run([*pip, str(folder), "-r", str(lock)], check=True)
    return {**os.environ, "PYTHONPATH": str(folder)}
