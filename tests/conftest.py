"""What all tests share."""

import os

from hypothesis import HealthCheck, settings

# For processes that tests start: what is written anew within a second would be read from its old byte code.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

# The same examples each time, however slow the machine is.
settings.register_profile(
    "lodescan", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lodescan")
