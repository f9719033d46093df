"""How many nodes each model needs: the decision on its own. Pure.

Decides by the queue that a model's requests form at its nodes' slots; refuses to know
where the figures come from, and to start or stop a node. Advice does not flap: a node
is taken away only at a lower load than that at which one is added, and only after the
load has been low for a while.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from federated_router.load.demand import Advice, Demand
from federated_router.load.queueing import slots_needed
from federated_router.load.scaling_text import reason_of
from federated_router.load.settings import ScalingSettings


@dataclass(frozen=True, slots=True)
class Need:
    """How many nodes a model needs at least, and how many it can stay with.

    Fewer than `least` are too few; of more than `calm`, some can go.
    """

    least: int
    calm: int


def need_of(demand: Demand, settings: ScalingSettings) -> Need:
    """Return what a model needs at this load."""
    least = _nodes_for(demand, settings)
    margin = settings.utilisation_max / settings.utilisation_min
    higher = replace(demand, arrivals_per_s=demand.arrivals_per_s * margin)
    calm = max(_nodes_for(higher, settings), _holding(demand, settings))
    return Need(least=least, calm=calm)


def advise(
    demands: Sequence[Demand],
    settings: ScalingSettings,
    settled: Mapping[str, int],
) -> tuple[Advice, ...]:
    """Return advice for every model, in the order given.

    `settled` is the most nodes that each model could stay with at any time of the last
    `settle_s`; a model that was not watched so long is not in it and keeps its nodes.
    """
    wanted = {one.model: _change(one, settings, settled) for one in demands}
    freed = _freed(demands, {m: -n for m, n in wanted.items() if n < 0})
    return tuple(
        _advice(one, change, settings, watched=one.model in settled)
        for one in demands
        for change in (max(wanted[one.model], -freed[one.model]),)
    )


def _nodes_for(demand: Demand, settings: ScalingSettings) -> int:
    slots = slots_needed(
        arrivals_per_s=demand.arrivals_per_s,
        service_s=demand.service_s,
        wait_s_max=settings.wait_s_max,
        utilisation_max=settings.utilisation_max,
        slots_max=max(1, demand.slots_of(settings.nodes_max)),
    )
    return _bounded(_nodes_with(demand, slots), settings)


def _nodes_with(demand: Demand, slots: int) -> int:
    """Return the fewest nodes with at least so many slots together."""
    if not demand.nodes or not demand.slots:
        return math.ceil(slots / max(1, demand.slots_each))
    return -(-slots * len(demand.nodes) // demand.slots)


def _holding(demand: Demand, settings: ScalingSettings) -> int:
    """Return the nodes that hold what runs now, the nodes there are at most."""
    held = min(_nodes_with(demand, demand.busy), len(demand.nodes))
    return _bounded(held, settings)


def _bounded(nodes: int, settings: ScalingSettings) -> int:
    return min(max(nodes, settings.nodes_min), settings.nodes_max)


def _change(
    demand: Demand, settings: ScalingSettings, settled: Mapping[str, int]
) -> int:
    there, need = len(demand.nodes), need_of(demand, settings)
    if need.least > there:
        return need.least - there
    stays = settled.get(demand.model, there)
    return min(0, max(need.calm, stays) - there)


def _freed(demands: Sequence[Demand], spare: Mapping[str, int]) -> Mapping[str, int]:
    """Return how many nodes of each model can go where some serve several models.

    A node goes only where every model that it serves can spare one.
    """
    models: dict[str, list[str]] = {}
    for demand in demands:
        for node in demand.nodes:
            models.setdefault(node, []).append(demand.model)
    left, freed = Counter(spare), Counter[str]()
    for _, served in sorted(models.items(), key=lambda item: (len(item[1]), item[0])):
        if all(left[model] > 0 for model in served):
            left.subtract(served)
            freed.update(served)
    return freed


def _advice(
    demand: Demand, change: int, settings: ScalingSettings, *, watched: bool
) -> Advice:
    there = len(demand.nodes)
    advice = Advice(
        demand=demand,
        nodes_to_add=change,
        reason="",
        wait_s=demand.wait_s(there),
        wait_s_advised=demand.wait_s(there + change),
    )
    return replace(advice, reason=reason_of(advice, settings, watched=watched))
