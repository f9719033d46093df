"""Where nobody may be chosen, one error says what would have to change."""

from dataclasses import replace

import pytest

from federated_router.choice.choosing import Wishes
from federated_router.kit.errors import (
    FederationError,
    ModelUnknown,
    NoNodeAvailable,
    NoTrustedNode,
    PromptTooLong,
    QueueFull,
    WishesUnmet,
)
from federated_router.registry.membership import AUTO, Offer, Tariff
from federated_router.routing.candidate import PLAIN, NodeFacts, RouteQuery, Shape
from federated_router.routing.settings import RoutingSettings
from federated_router.sensitivity.levels import Sensitivity
from tests.unit.routing.placing import MODEL, QUERY, Live

SENSITIVE = replace(QUERY, sensitivity=Sensitivity.SENSITIVE)


def live(**settings: float) -> Live:
    """Return a router with nodes a and b."""
    found = Live(RoutingSettings(seed=1, **settings))  # type: ignore[arg-type]
    found.join("a", slots=2, region="north")
    found.join("b", slots=2, region="south")
    return found


def rejections(world: Live, query: RouteQuery, shape: Shape = PLAIN) -> set[str]:
    """Return why candidates are passed over."""
    decision = world.router.explain(query, shape)
    return {one.rejected_by for one in decision.candidates if one.rejected_by}


def refused(world: Live, query: RouteQuery, shape: Shape = PLAIN) -> FederationError:
    """Return how a request is refused."""
    with pytest.raises(FederationError) as raised:
        world.router.choose(query, shape)
    return raised.value


def test_sensitive_request_goes_to_trusted_nodes_alone() -> None:
    """However busy they are, and however idle the others."""
    world = live()
    world.router.know(NodeFacts(trusted_with={"nodes/b": Sensitivity.SENSITIVE}))

    chosen = [world.router.choose(SENSITIVE) for _ in range(3)]
    for one in chosen:
        world.router.counted(one).__enter__()

    assert {one.node for one in chosen} == {"nodes/b"}
    assert world.router.choose(SENSITIVE).node == "nodes/b"
    assert rejections(world, SENSITIVE) == {"trusted"}


def test_nobody_is_trusted_with_it() -> None:
    """Waiting does not help; an operator's word does."""
    error = refused(live(), SENSITIVE)

    assert isinstance(error, NoTrustedNode)
    assert error.metadata["filter"] == "trusted"


def test_trust_that_is_taken_back_counts_from_the_next_decision_on() -> None:
    """Nothing remembered outlives it."""
    world = live()
    world.router.know(NodeFacts(trusted_by_default=Sensitivity.SENSITIVE))
    world.router.choose(SENSITIVE)

    world.router.know(NodeFacts(trusted_by_default=Sensitivity.PUBLIC))

    assert isinstance(refused(world, SENSITIVE), NoTrustedNode)
    assert isinstance(refused(world, QUERY), NoTrustedNode)


def test_request_stays_where_it_may_go() -> None:
    """A region that nobody stands in is no reason to leave it."""
    south, west = (
        replace(QUERY, regions=frozenset({name})) for name in ("south", "west")
    )
    world = live()

    assert world.router.choose(south).node == "nodes/b"
    assert rejections(world, south) == {"region_allowed"}
    error = refused(world, west)
    assert isinstance(error, NoTrustedNode)
    assert error.metadata["filter"] == "region_allowed"


def test_prompt_goes_where_it_fits() -> None:
    """The estimate is rounded up to a context that is offered."""
    world = live()
    world.join("c", context=100_000)

    query = replace(QUERY, context_tokens=5000)

    assert world.router.choose(query).node == "nodes/c"
    assert rejections(world, query) == {"context_fits"}


def test_queries_of_alike_prompts_are_remembered_once() -> None:
    """Every length of prompt as a query of its own would remember nothing."""
    world = live()

    for tokens in range(1, 4096, 16):
        world.router.choose(replace(QUERY, context_tokens=tokens))

    assert len(world.router._scene.slates) == 1


@pytest.mark.parametrize(
    ("tokens", "fits"), [(4096, True), (16_384, True), (16_385, False)]
)
def test_estimate_within_the_slack_is_left_to_the_largest_node(
    tokens: int,
    fits: bool,  # noqa: FBT001 - the expected answer.
) -> None:
    """Four bytes a token is an estimate: the node counts, and refuses what it must."""
    world = live(context_slack=4.0)
    world.join("small", context=64)
    query = replace(QUERY, context_tokens=tokens)

    if fits:
        assert world.router.choose(query).node in {"nodes/a", "nodes/b"}
    else:
        assert isinstance(refused(world, query), PromptTooLong)
        assert rejections(world, query) == {"context_fits"}


def test_blocked_node_gets_nothing_until_it_is_unblocked() -> None:
    """All its models, or one."""
    world = live()
    world.router.block("nodes/a")
    world.router.block("nodes/b", "models/other")
    assert set(world.nodes(4)) == {"nodes/b"}
    assert rejections(world, QUERY) == {"breaker_closed"}

    world.router.block("nodes/b", MODEL)
    assert isinstance(refused(world, QUERY), NoNodeAvailable)

    world.router.unblock("nodes/a")
    assert set(world.nodes(4)) == {"nodes/a"}


def test_full_nodes_are_passed_over_and_then_refuse() -> None:
    """At `queue_factor` times the slots, of the nodes that could serve it alone."""
    world = live(queue_factor=2.0)
    for number in range(8):
        one = world.router.choose(QUERY)
        held = world.router.counted(one)
        held.__enter__()
        assert world.router.in_flight(one.node) <= 4
        if number == 3:
            assert not rejections(world, QUERY)

    error = refused(world, QUERY)
    held.__exit__()

    assert isinstance(error, QueueFull)
    assert error.retry_after_s is not None
    assert rejections(world, QUERY) == {"queue_below_limit"}
    assert world.router.choose(QUERY).node == one.node


def tariffed() -> Live:
    """Return a router with a dear fast node and a cheap slow one."""
    world = Live()
    facts = NodeFacts(carbon_intensity={"north": 400.0, "south": 20.0})
    for name, region, cost in (("dear", "north", 10.0), ("cheap", "south", 1.0)):
        world.registry.register(
            name=f"nodes/{name}",
            address="a:1",
            region=region,
            offers=[
                Offer(
                    MODEL,
                    4096,
                    private=False,
                    slots=2,
                    tariff=Tariff(cost, cost, 3600.0, 3600.0),
                )
            ],
        )
    world.router.know(facts)
    return world


ASKED = Shape(prompt_tokens=900, tokens_max=100)


@pytest.mark.parametrize(
    ("wish", "kept", "broken"),
    [
        ("cost_max", Wishes(cost_max=1.5), Wishes(cost_max=0.5)),
        ("co2e_mg_max", Wishes(co2e_mg_max=25.0), Wishes(co2e_mg_max=19.0)),
    ],
)
def test_wishes_pass_over_the_nodes_that_break_them(
    wish: str, kept: Wishes, broken: Wishes
) -> None:
    """A thousand tokens cost 10 or 1, and emit 400 or 20 mg."""
    world = tariffed()
    shape = replace(ASKED, wishes=kept)

    assert world.router.choose(QUERY, shape).node == "nodes/cheap"
    assert rejections(world, QUERY, shape) == {wish}
    error = refused(world, QUERY, replace(ASKED, wishes=broken))
    assert isinstance(error, WishesUnmet)
    assert error.metadata["wish"] == wish


def test_unknown_carbon_meets_no_ceiling() -> None:
    """It would never become known by being tried."""
    world = tariffed()
    world.router.know(NodeFacts())

    error = refused(world, QUERY, replace(ASKED, wishes=Wishes(co2e_mg_max=1e9)))

    assert isinstance(error, WishesUnmet)
    assert error.metadata["wish"] == "co2e_mg_max"


def test_explanation_says_what_would_have_been_chosen_otherwise() -> None:
    """Only for the reasons that decided: here the wish, the load, and none."""
    world = tariffed()
    dear, cheap = replace(QUERY, regions=frozenset({"north"})), QUERY

    wished, plain = world.router.explain(dear, ASKED), world.router.explain(cheap)
    world.router.counted(plain.candidates[0].candidate).__enter__()
    loaded = world.router.explain(cheap)

    told = [
        [
            (one.without, one.chosen and one.chosen.node)
            for one in decision.counterfactuals
        ]
        for decision in (wished, plain, loaded)
    ]
    assert told == [[("wishes", "nodes/cheap")], [], [("load", "nodes/cheap")]]


@pytest.mark.parametrize("model", ["models/other", AUTO])
def test_model_that_nobody_serves_is_named(model: str) -> None:
    """Also one of a list."""
    models = frozenset({"models/other"}) if model == AUTO else frozenset()

    error = refused(live(), RouteQuery(model, models=models))

    assert isinstance(error, ModelUnknown)
    assert error.metadata["model"] == "models/other"
