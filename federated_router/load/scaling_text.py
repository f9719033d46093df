"""The reason of an advice, in a sentence with the figures it rests on. Pure."""

import math

from federated_router.load.demand import Advice
from federated_router.load.settings import ScalingSettings


def reason_of(advice: Advice, settings: ScalingSettings, *, watched: bool) -> str:
    """Return why so many nodes; `watched` where the load is known for long enough."""
    if not advice.demand.arrivals_per_s or not advice.demand.service_s:
        return _idle(advice, settings, watched=watched)
    facts = _facts(advice)
    if advice.nodes_to_add > 0:
        return f"{facts}; {_too_few(advice, settings)}"
    if advice.nodes_to_add < 0:
        return (
            f"{facts}; with {_nodes(advice.nodes_advised)} the wait is "
            f"{_seconds(advice.wait_s_advised)}, and the load was low for "
            f"{settings.settle_s:g} s."
        )
    if not watched:
        return f"{facts}; no advice to take nodes away before {settings.settle_s:g} s."
    return f"{facts}; the wait is {_seconds(advice.wait_s)}, within bounds."


def _facts(advice: Advice) -> str:
    demand = advice.demand
    asked = f"{demand.arrivals_per_s:.3g} requests/s of {demand.service_s:.3g} s"
    if not demand.slots:
        return f"{asked} keep {demand.offered:.3g} slots busy and no node takes them"
    return (
        f"{asked} keep {demand.utilisation:.0%} of {demand.slots} slots on "
        f"{_nodes(len(demand.nodes))} busy"
    )


def _too_few(advice: Advice, settings: ScalingSettings) -> str:
    waits_too_long = advice.wait_s > settings.wait_s_max
    if advice.nodes_advised == settings.nodes_max and (
        advice.wait_s_advised > settings.wait_s_max
    ):
        return f"{_nodes(settings.nodes_max)} are the most that may be advised."
    cause = (
        f"the wait is {_seconds(advice.wait_s)}, above {settings.wait_s_max:g} s"
        if waits_too_long
        else f"above {settings.utilisation_max:.0%}"
    )
    advised = _seconds(advice.wait_s_advised)
    return f"{cause}; with {_nodes(advice.nodes_advised)} the wait is {advised}."


def _idle(advice: Advice, settings: ScalingSettings, *, watched: bool) -> str:
    if advice.nodes_to_add > 0:
        return f"Fewer nodes take work than the least, {settings.nodes_min}."
    if advice.demand.busy:
        return "No request ended lately, and some run."
    if not watched:
        return f"No request ended lately; no advice before {settings.settle_s:g} s."
    if advice.nodes_to_add < 0:
        return (
            "No request ended lately, and the load was low for "
            f"{settings.settle_s:g} s."
        )
    return "No request ended lately, and no node can go."


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"


def _seconds(value: float) -> str:
    if math.isinf(value):
        return "ever more"
    return f"{value:.2f} s" if value >= 0.01 else "less than 0.01 s"  # noqa: PLR2004
