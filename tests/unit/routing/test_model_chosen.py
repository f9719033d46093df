"""`models/auto` with a chooser: a model for the prompt, then a node of that model."""

from dataclasses import replace

import pytest

from federated_router.choice.choosing import Wishes
from federated_router.kit.errors import NoNodeAvailable, WishesUnmet
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.priors.prompt import Prompt
from federated_router.registry.membership import AUTO
from federated_router.routing.candidate import NodeFacts, RouteQuery, Shape
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.served import Served
from tests.unit.routing.placing import Live
from tests.unit.routing.preferring import STRONG, WEAK, Preferring, offer, world

QUERY = RouteQuery(AUTO)
ASKED = Shape(
    prompt=Prompt(text="prove it", characters=8, turns=1),
    prompt_tokens=1000,
    tokens_max=100,
)


def test_options_are_the_best_of_each_models_nodes() -> None:
    """1,100 tokens: 1.1 times the tariff of the cheapest node; carbon by the region."""
    chooser = Preferring()
    live = world(chooser)
    live.router.know(NodeFacts(carbon_intensity={"north": 100.0}))
    live.router.believe(
        PriorsView(
            1, {Cell(WEAK, "north"): Performance(900, 0.9, 20.0, None, None, 1.0)}
        )
    )

    live.router.choose(QUERY, replace(ASKED, tokens_max=100))

    [(prompt, options, explore)] = chooser.asked
    assert prompt.text == "prove it"
    assert explore
    strong, weak = options
    assert (strong.model, strong.cost, strong.latency_ms) == (STRONG, 5.5, None)
    assert weak.model == WEAK
    assert weak.latency_ms == pytest.approx(2000.0)
    assert weak.cost == pytest.approx(1.1)
    assert weak.co2e_mg == pytest.approx(1.1 * 100.0 * 1000.0)


def test_own_observations_come_before_the_federations() -> None:
    """The more was seen here, the less the priors count."""
    chooser = Preferring()
    live = world(chooser)
    live.router.believe(
        PriorsView(
            1, {Cell(WEAK, "north"): Performance(900, 0.9, 20.0, None, None, 1.0)}
        )
    )
    weak = next(
        one.candidate
        for one in live.router.explain(RouteQuery(WEAK)).candidates
        if one.candidate.node == "nodes/c"
    )
    for _ in range(1000):
        live.router.observe(
            weak,
            Served(
                succeeded=True,
                total_ms=500.0,
                first_token_ms=100.0,
                completion_tokens=101,
            ),
        )

    live.router.choose(QUERY, ASKED)

    latency_ms = chooser.asked[-1][1][1].latency_ms
    assert latency_ms == pytest.approx(500.0, rel=0.05)


def test_request_goes_to_a_node_of_the_chosen_model() -> None:
    """And the least busy of those, whatever nodes of other models do."""
    live = world(Preferring((STRONG, WEAK)))

    chosen = []
    for _ in range(4):
        one = live.router.choose(QUERY, ASKED)
        live.router.counted(one, ASKED).__enter__()
        chosen.append(one.site)

    assert {model for _, model in chosen} == {STRONG}
    assert {node for node, _ in chosen} == {"nodes/a", "nodes/b"}


def test_explanation_shows_the_models_and_who_was_passed_over() -> None:
    """It explores nothing, and says what is expected of each model."""
    chooser = Preferring((WEAK, STRONG))
    decision = world(chooser).router.explain(QUERY, ASKED)

    assert decision.model_choice is not None
    assert decision.model_choice.chosen == WEAK
    assert all(not explore for _, _, explore in chooser.asked)
    passed = {
        one.candidate.site
        for one in decision.candidates
        if one.rejected_by == "another_model"
    }
    assert passed == {("nodes/a", STRONG), ("nodes/b", STRONG)}
    assert len(decision.candidates) == 4


def test_wish_moves_to_a_model_and_a_node_that_meet_it() -> None:
    """The strong model's cheapest node costs 5.5; at 5.6 only that node is left."""
    live = world(Preferring())

    at_most_6 = live.router.choose(QUERY, replace(ASKED, wishes=Wishes(cost_max=5.6)))
    at_most_2 = live.router.choose(QUERY, replace(ASKED, wishes=Wishes(cost_max=2.0)))

    assert at_most_6.site == ("nodes/b", STRONG)
    assert at_most_2.site == ("nodes/a", WEAK)
    with pytest.raises(WishesUnmet) as raised:
        live.router.choose(QUERY, replace(ASKED, wishes=Wishes(cost_max=0.5)))
    assert raised.value.metadata["wish"] == "cost_max"


def test_next_best_model_is_asked_where_no_node_meets_all_wishes() -> None:
    """Its best figures may be of two nodes, of which neither meets both wishes."""
    live = Live(chooser=Preferring())
    for name, region, some in (
        ("clean", "south", [offer(STRONG, 10.0)]),
        ("cheap", "north", [offer(STRONG, 1.0)]),
        ("weak", "south", [offer(WEAK, 1.0)]),
    ):
        live.registry.register(
            name=f"nodes/{name}", address="a:1", region=region, offers=some
        )
    live.router.know(NodeFacts(carbon_intensity={"north": 400.0, "south": 10.0}))
    wishes = Wishes(cost_max=2.0, co2e_mg_max=20_000.0)

    chosen = live.router.choose(QUERY, replace(ASKED, wishes=wishes))
    told = live.router.explain(QUERY, replace(ASKED, wishes=wishes))

    assert chosen.site == ("nodes/weak", WEAK)
    assert told.chosen is not None
    assert told.chosen.site == chosen.site
    assert told.model_choice is not None
    assert told.model_choice.chosen == WEAK


def test_models_without_an_open_node_are_no_options() -> None:
    """Drained and blocked nodes make nobody's figures."""
    chooser = Preferring()
    live = world(chooser)
    live.registry.drain("nodes/b")
    live.router.block("nodes/a", STRONG)

    assert live.router.choose(QUERY, ASKED).model == WEAK
    assert [one.model for one in chooser.asked[-1][1]] == [WEAK]

    live.router.block("nodes/a")
    live.router.block("nodes/c")
    with pytest.raises(NoNodeAvailable):
        live.router.choose(QUERY, ASKED)


def test_named_model_asks_no_chooser() -> None:
    """A caller's word is taken."""
    chooser = Preferring()
    live = world(chooser)

    assert live.router.choose(RouteQuery(WEAK), ASKED).model == WEAK
    assert not chooser.asked


def test_caller_narrows_the_models() -> None:
    """With a list, the chooser sees these alone."""
    chooser = Preferring()

    query = replace(QUERY, models=frozenset({WEAK}))

    assert world(chooser).router.choose(query, ASKED).model == WEAK
    assert [one.model for one in chooser.asked[0][1]] == [WEAK]
