"""What Prometheus hears from a member of rounds, for its own operator."""

from prometheus_client import Gauge

from federated_router.privacy.units import UNITS_PER_RHO

ODOMETER = Gauge(
    "federation_member_loss",
    "Privacy loss (zCDP rho) of this member's contributions, as it counts itself.",
    ["part"],
)


def tell_odometer(
    *, window_units: int, lifetime_units: int, limit_units: int | None
) -> None:
    """Show this window's loss, the lifetime's, and the limit where there is one."""
    ODOMETER.labels("window").set(window_units / UNITS_PER_RHO)
    ODOMETER.labels("lifetime").set(lifetime_units / UNITS_PER_RHO)
    if limit_units is not None:
        ODOMETER.labels("limit").set(limit_units / UNITS_PER_RHO)
