"""How many nodes are advised: bounds kept, no flapping, shared nodes counted once."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from federated_router.load.demand import Demand
from federated_router.load.scaling import advise, need_of
from federated_router.load.settings import ScalingSettings

SETTINGS = ScalingSettings(nodes_max=500)
LOADS = st.floats(min_value=0.0, max_value=50.0)
SERVICES = st.floats(min_value=0.05, max_value=10.0)


def demand(
    model: str = "models/m",
    *,
    nodes: int = 2,
    slots_each: int = 4,
    arrivals: float = 0.0,
    service_s: float = 1.0,
    busy: int = 0,
    names: tuple[str, ...] = (),
) -> Demand:
    """Return what a model has to do with so many equal nodes."""
    named = names or tuple(f"nodes/{model[7:]}{n:03}" for n in range(nodes))
    return Demand(
        model=model,
        nodes=named,
        slots=len(named) * slots_each,
        slots_each=slots_each,
        arrivals_per_s=arrivals,
        service_s=service_s,
        busy=busy,
    )


def change(one: Demand, settled: dict[str, int] | None = None) -> int:
    """Return the nodes to add; watched for long, and always low, unless told."""
    watched = {one.model: 0} if settled is None else settled
    return advise([one], SETTINGS, watched)[0].nodes_to_add


@given(arrivals=LOADS, service_s=SERVICES, nodes=st.integers(0, 40))
def test_advice_followed_keeps_wait_and_utilisation_within_bounds(
    arrivals: float, service_s: float, nodes: int
) -> None:
    """Whatever there was: with the nodes advised, both bounds hold."""
    one = demand(nodes=nodes, arrivals=arrivals, service_s=service_s)

    (advice,) = advise([one], SETTINGS, {one.model: 0})

    assert advice.wait_s_advised <= SETTINGS.wait_s_max
    slots = one.slots_of(advice.nodes_advised)
    assert one.offered <= SETTINGS.utilisation_max * slots * (1 + 1e-9)


@given(arrivals=LOADS, more=st.floats(0.0, 20.0), service_s=SERVICES)
def test_more_arrivals_never_advise_fewer_nodes(
    arrivals: float, more: float, service_s: float
) -> None:
    """With the same nodes there."""
    before = change(demand(nodes=6, arrivals=arrivals, service_s=service_s))
    after = change(demand(nodes=6, arrivals=arrivals + more, service_s=service_s))

    assert after >= before


@given(arrivals=LOADS, service_s=SERVICES, nodes=st.integers(0, 60))
def test_advice_followed_is_not_taken_back_at_the_same_load(
    arrivals: float, service_s: float, nodes: int
) -> None:
    """Neither what was added nor what was taken away."""
    one = demand(nodes=nodes, arrivals=arrivals, service_s=service_s)
    followed = nodes + change(one)

    again = change(demand(nodes=followed, arrivals=arrivals, service_s=service_s))

    assert again == 0


@given(
    arrivals=st.floats(0.5, 50.0),
    noise=st.floats(-0.2, 0.2),
    service_s=SERVICES,
)
def test_noise_of_20_percent_takes_away_nothing_that_was_just_added(
    arrivals: float, noise: float, service_s: float
) -> None:
    """What stays must be enough for a third more: a band between both bounds."""
    one = demand(nodes=1, arrivals=arrivals, service_s=service_s)
    added = change(one)
    assume(added > 0)

    noisy = demand(
        nodes=1 + added, arrivals=arrivals * (1 + noise), service_s=service_s
    )

    assert change(noisy) >= 0


def test_low_load_takes_nodes_away_only_after_it_was_watched() -> None:
    """A router that has just started knows nothing of the hour before."""
    idle = demand(nodes=5, arrivals=0.1)

    assert change(idle, {}) == 0
    assert change(idle, {idle.model: 1}) == -4
    assert change(idle, {idle.model: 4}) == -1


def test_running_requests_keep_their_nodes() -> None:
    """Long answers end late: none ended in the window, and 13 of 20 slots are busy."""
    assert change(demand(nodes=5, busy=13)) == -1


def test_nodes_min_and_max_are_kept() -> None:
    """Advice stays in the operator's bounds and says when they end it."""
    flood = demand(nodes=3, arrivals=100_000.0)

    (advice,) = advise([flood], SETTINGS, {})

    assert advice.nodes_advised == SETTINGS.nodes_max
    assert advice.wait_s_advised == math.inf
    assert "500 nodes are the most" in advice.reason
    assert need_of(demand(), ScalingSettings(nodes_min=3)).least == 3


def test_node_of_two_models_goes_only_if_both_can_spare_it() -> None:
    """One busy model keeps a node for the idle one beside it."""
    shared = ("nodes/a", "nodes/b", "nodes/c")
    idle = demand("models/idle", names=shared)
    busy = demand("models/busy", names=shared, arrivals=7.0)
    low = {"models/idle": 0, "models/busy": 0}

    kept = advise([idle, busy], SETTINGS, low)
    both = advise([idle, demand("models/busy", names=shared)], SETTINGS, low)

    assert [one.nodes_to_add for one in kept] == [0, 0]
    assert [one.nodes_to_add for one in both] == [-2, -2]


def test_node_of_one_model_goes_before_a_shared_one() -> None:
    """Taking the shared one away would leave the other model without."""
    lone = demand("models/lone", names=("nodes/a", "nodes/z"))
    other = demand("models/other", names=("nodes/a",))

    advice = advise([lone, other], SETTINGS, {"models/lone": 0, "models/other": 0})

    assert [one.nodes_to_add for one in advice] == [-1, 0]


def test_nodes_of_other_sizes_are_counted_by_their_slots() -> None:
    """A node to add is thought of as the mean of those there are."""
    mixed = Demand("models/m", ("nodes/a", "nodes/b"), 10, 8, 9.0, 1.0)

    assert [mixed.slots_of(n) for n in (1, 2, 3)] == [5, 10, 15]
    assert change(mixed) == 1
