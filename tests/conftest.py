"""Fixtures come in families, one file each."""

from hypothesis import HealthCheck, settings

pytest_plugins = (
    "tests.support.fix_pki",
    "tests.support.fix_processes",
    "tests.support.fix_rounds",
    "tests.support.fix_router",
)

# What a test asserts is never how long it took: these machines are shared.
settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared machine")
