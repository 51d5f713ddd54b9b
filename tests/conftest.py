"""What all tests share."""

from hypothesis import HealthCheck, settings

# The same examples each time, however slow the machine is.
settings.register_profile(
    "lodescan", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lodescan")
