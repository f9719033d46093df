"""What each model has to do, from what the router counted. Pure.

Requests that could not be let in count too, at the models' shares of those that could:
else a router that refuses half would look like one that has enough nodes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from federated_router.load.activity import IDLE, Activity
from federated_router.load.demand import Demand
from federated_router.load.window import Pair
from federated_router.registry.membership import Membership, NodeState


def demands_of(
    membership: Membership,
    activities: Mapping[Pair, Activity],
    *,
    span_s: float,
    unserved: float,
    in_flight: Callable[[str], int],
    takes_work: Callable[[str], bool],
) -> tuple[Demand, ...]:
    """Return every model's demand, by name.

    `unserved` requests were refused for want of room, or began to wait, within the last
    `span_s` seconds. A node that drains, or that `takes_work` says no of, is not
    counted among a model's nodes.
    """
    done = _by_model(activities)
    ended = sum(one.requests for one in done.values())
    slots = _slots(membership, takes_work)
    return tuple(
        _demand(
            model,
            slots.get(model, {}),
            done.get(model, IDLE),
            arrivals_per_s=_share(done.get(model, IDLE), ended, unserved) / span_s,
            in_flight=in_flight,
        )
        for model in sorted({*slots, *done})
    )


def _by_model(activities: Mapping[Pair, Activity]) -> Mapping[str, Activity]:
    sums: dict[str, Activity] = {}
    for (_, model), activity in activities.items():
        sums[model] = sums.get(model, IDLE) + activity
    return sums


def _slots(
    membership: Membership, takes_work: Callable[[str], bool]
) -> Mapping[str, Mapping[str, int]]:
    """Return the slots by model and by node that takes work."""
    slots: dict[str, dict[str, int]] = {}
    for node, model, count in _offered(membership, takes_work):
        slots.setdefault(model, {})[node] = count
    return slots


def _offered(
    membership: Membership, takes_work: Callable[[str], bool]
) -> Iterator[tuple[str, str, int]]:
    for member in membership:
        if member.state is NodeState.READY and takes_work(member.name):
            for offer in member.offers:
                yield member.name, offer.model, offer.slots


def _demand(
    model: str,
    slots: Mapping[str, int],
    done: Activity,
    *,
    arrivals_per_s: float,
    in_flight: Callable[[str], int],
) -> Demand:
    sizes = Counter(slots.values()).most_common(1)
    return Demand(
        model=model,
        nodes=tuple(sorted(slots)),
        slots=sum(slots.values()),
        slots_each=sizes[0][0] if sizes else max(1, done.slots),
        arrivals_per_s=arrivals_per_s,
        service_s=done.service_s,
        busy=sum(in_flight(node) for node in slots),
    )


def _share(done: Activity, ended: int, unserved: float) -> float:
    """Return the requests that came for a model: those that ended and its share."""
    return done.requests * (1.0 + unserved / ended) if ended else 0.0
