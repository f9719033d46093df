"""What an autoscaler reads: nodes advised, utilisation and wait by model.

Models come from nodes' offers, so their number is bounded by the registry's limits;
those that are gone are taken out.
"""

from collections.abc import Sequence

from prometheus_client import Gauge

from federated_router.load.demand import Advice

NODES = Gauge("router_nodes", "Nodes that serve a model and take work.", ["model"])
NODES_ADVISED = Gauge(
    "router_nodes_advised", "Nodes that a model should have.", ["model"]
)
UTILISATION = Gauge(
    "router_model_utilisation", "Share of a model's slots that is busy.", ["model"]
)
WAIT_SECONDS = Gauge(
    "router_model_wait_seconds",
    "Expected wait for a slot of a model; +Inf where it grows without end.",
    ["model"],
)
_GAUGES = (NODES, NODES_ADVISED, UTILISATION, WAIT_SECONDS)


def show(advice: Sequence[Advice]) -> None:
    """Show this advice and no other."""
    models = {one.model for one in advice}
    for gauge in _GAUGES:
        for gone in _shown(gauge) - models:
            gauge.remove(gone)
    for one in advice:
        NODES.labels(one.model).set(len(one.demand.nodes))
        NODES_ADVISED.labels(one.model).set(one.nodes_advised)
        UTILISATION.labels(one.model).set(one.demand.utilisation)
        WAIT_SECONDS.labels(one.model).set(one.wait_s)


def _shown(gauge: Gauge) -> set[str]:
    return {
        sample.labels["model"]
        for metric in gauge.collect()
        for sample in metric.samples
    }
