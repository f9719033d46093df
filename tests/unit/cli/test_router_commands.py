"""`route`, `node` and `top` against the router's own servicers and counts."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from federated_router.cli.connection import Federation
from federated_router.cli.main import app
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role
from federated_router.proxy.breaker import BreakerState
from federated_router.routing.candidate import RouteQuery
from tests.support.budget_desk import Desk
from tests.support.router_desk import (
    CLIENT,
    MODEL,
    OPERATOR,
    RouterDesk,
    ServicerChannel,
)


@pytest.fixture
def router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RouterDesk:
    """Return a router whom every command reaches."""
    desk = Desk(tmp_path)
    desk.describe()
    one = RouterDesk(desk)

    @asynccontextmanager
    async def channel(
        self: Federation,
        _: Role,
        *,
        node: str = "",
        as_client: TlsSettings | None = None,
    ) -> AsyncIterator[ServicerChannel]:
        del node
        own = as_client in (None, self.operator)
        yield one.channel(OPERATOR if own else CLIENT)

    monkeypatch.setattr(Federation, "channel", channel)
    return one


@pytest.fixture
def run(router: RouterDesk) -> Callable[..., str]:
    """Return what runs a command, which must succeed, and gives its output."""

    def told(*words: str) -> str:
        file = str(router.desk.up_file)
        result = CliRunner().invoke(app, [*words, "--federation", file])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return told


def test_explained_route_is_the_one_taken(
    router: RouterDesk, run: Callable[..., str]
) -> None:
    """Under a strategy that goes by nothing else but what runs."""
    run("route", "set", "least_connections")
    lines = run("route", "explain", "m", "Hello").splitlines()
    chosen = next(line for line in lines if line.startswith("chosen: ")).split()[1]

    candidate = router.router.choose(RouteQuery(MODEL))
    with router.router.counted(candidate):
        after = run("route", "explain", "m", "Hello")

    assert candidate.node == chosen
    assert f"chosen: {chosen}" not in after


def test_strategy_that_is_set_is_marked(run: Callable[..., str]) -> None:
    """And one that is not there is refused with the names there are."""
    told = run("route", "set", "round_robin").splitlines()[-1]
    marked = [x for x in run("route", "strategies").splitlines() if x.startswith("*")]
    assert (told, marked) == ("strategy round_robin", ["* round_robin"])
    with pytest.raises(FieldInvalid, match="round_robin"):
        run("route", "set", "nonsense")


def test_top_counts_what_was_served(
    router: RouterDesk, run: Callable[..., str]
) -> None:
    """Requests, tokens, latency, breaker and footprints, as the router has them."""
    router.serve(10, seconds_each=0.5)
    router.broken["nodes/b"] = BreakerState.OPEN
    router.totals.of("alice").answers = 3

    (line,) = run("top", "--once", "--json").splitlines()
    screen = run("top", "--once")

    content = json.loads(line)
    nodes = {one["node"]: one for one in content["load"]["nodes"]}
    assert sum(one["requestsPerSecond"] for one in nodes.values()) == pytest.approx(2)
    assert nodes["nodes/b"]["breaker"] == "BREAKER_OPEN"
    assert [one["tenant"] for one in content["footprints"]] == ["alice"]
    assert "alice" in screen


def test_scaling_follows_the_load(router: RouterDesk, run: Callable[..., str]) -> None:
    """50 requests of 2 s within one slice of 5 s want 20 slots; there are 6."""
    router.serve(50, seconds_each=2.0)

    (advice,) = json.loads(run("route", "scaling", "--json"))["advice"]

    assert advice["arrivalsPerSecond"] == pytest.approx(10)
    assert advice["nodes"] == 2
    assert advice["nodesToAdd"] >= 5
    assert "waitSeconds" not in advice
    assert advice["reason"] in run("route", "scaling").replace("\n" + " " * 12, " ")


def test_drained_node_takes_no_work(run: Callable[..., str]) -> None:
    """Seen by the list, by the explanation, and by the advice."""
    assert run("node", "drain", "nodes/a") == "nodes/a drains.\n"

    row = next(x for x in run("node", "list").splitlines() if x.startswith("nodes/a"))
    assert "draining" in row
    assert "chosen: nodes/b" in run("route", "explain", "m", "Hello")
    (advice,) = json.loads(run("route", "scaling", "--json"))["advice"]
    assert advice["nodes"] == 1
