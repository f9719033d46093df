"""Fixtures come in families, one file each."""

pytest_plugins = (
    "tests.support.fix_pki",
    "tests.support.fix_processes",
    "tests.support.fix_router",
)
