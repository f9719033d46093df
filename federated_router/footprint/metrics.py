"""Prometheus figures of what answers take.

Labels are models and regions of registered nodes, joined as `other` beyond a limit.
Tenants are no label.
"""

from typing import Final

from prometheus_client import Counter, Gauge

_CELL: Final = ("model", "region")
JOULES: Final = Counter("router_answer_energy_joules", "Energy of answers.", _CELL)
CO2E: Final = Counter(
    "router_answer_co2e_grams", "CO2 equivalent of answers, where it is known.", _CELL
)
COST: Final = Counter("router_answer_cost", "Cost of answers, by tariff.", _CELL)
CARBON_INTENSITY: Final = Gauge(
    "router_carbon_intensity_grams_per_kwh",
    "Carbon intensity that is reckoned with.",
    ("region",),
)
FEED_LOOKS: Final = Counter(
    "router_carbon_feed_looks", "Looks at the carbon feed, good or failed.", ("result",)
)
