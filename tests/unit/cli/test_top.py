"""`top` goes on over a restart, ends on Ctrl-C, and prints for programs."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from rich.console import Console
from rich.live import Live

from federated_router.api.v1 import budget_pb2, load_pb2
from federated_router.cli import top as top_module
from federated_router.cli.connection import Federation
from federated_router.cli.top import Screen, Seen
from federated_router.cli.top_view import Silence, View, views
from tests.support.answering_channel import (
    AnsweringChannel,
    answer_commands,
    described,
    run_command,
)

AWAY = grpc.StatusCode.UNAVAILABLE
LOAD = load_pb2.GetLoadResponse(
    strategy="random", nodes=[load_pb2.NodeActivity(node="nodes/a", slots=4)]
)


def answers() -> dict[str, object]:
    """Return a router's answers."""
    return {
        "GetLoad": LOAD,
        "GetScalingAdvice": load_pb2.GetScalingAdviceResponse(),
        "ListFootprints": load_pb2.ListFootprintsResponse(),
        "ListAccounts": budget_pb2.ListAccountsResponse(),
    }


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> AnsweringChannel:
    """Return a router."""
    one = AnsweringChannel(answers())
    answer_commands(one, monkeypatch)
    return one


async def no_time(_: float) -> None:
    """Let no time pass, and others work."""
    await asyncio.sleep(0)


async def seen(directory: Path, count: int) -> list[Seen]:
    """Return the first looks."""
    found: list[Seen] = []
    federation = Federation.load(described(directory))
    looks = views(federation, interval_s=1.0, sleep=no_time)
    async for one in looks:
        found.append(one)
        if len(found) == count:
            break
    await looks.aclose()
    return found


async def test_router_that_restarts_is_waited_for(
    tmp_path: Path, channel: AnsweringChannel
) -> None:
    """It says so, and goes on by a new channel."""
    channel.answers["GetLoad"] = [LOAD, AWAY, AWAY, LOAD, LOAD]

    looks = await seen(tmp_path, 5)

    kinds = [type(one) for one in looks]
    assert kinds == [View, Silence, Silence, View, View]
    silence, first = looks[1], looks[0]
    assert isinstance(silence, Silence)
    assert isinstance(first, View)
    assert silence.since == first.at
    assert len(channel.callers) == 3


async def test_router_that_never_answered_is_an_error(
    tmp_path: Path, channel: AnsweringChannel
) -> None:
    """A wrong address is not waited for."""
    channel.answers["GetLoad"] = AWAY

    with pytest.raises(grpc.aio.AioRpcError):
        await seen(tmp_path, 1)


async def test_router_that_refuses_is_an_error(
    tmp_path: Path, channel: AnsweringChannel
) -> None:
    """Trying again would not help."""
    channel.answers["GetLoad"] = [LOAD, grpc.StatusCode.PERMISSION_DENIED]

    with pytest.raises(grpc.aio.AioRpcError):
        await seen(tmp_path, 2)


def test_once_prints_one_look(tmp_path: Path, channel: AnsweringChannel) -> None:
    """And ends; of accounts, it asks for those of data sets."""
    result = run_command(tmp_path, "top", "--once")

    assert result.exit_code == 0, result.output
    assert "strategy random" in result.output
    assert "0/4" in result.output
    (asked,) = (
        one for one in channel.asked if isinstance(one, budget_pb2.ListAccountsRequest)
    )
    assert asked.name_prefix == "accounts/dataset-"


@pytest.mark.usefixtures("channel")
def test_json_is_one_object_on_one_line(tmp_path: Path) -> None:
    """So that a program reads line by line."""
    (line,) = run_command(tmp_path, "top", "--once", "--json").output.splitlines()

    content = json.loads(line)
    assert content["load"]["strategy"] == "random"
    assert content["router"] == "127.0.0.1:1"
    assert content["accounts"] == []


def test_interrupt_ends_it_without_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is how it is meant to end, and the looks are closed."""
    closed = []

    async def endless(*_: object, **__: object) -> AsyncGenerator[Seen, None]:
        try:
            yield Silence("r", datetime(2026, 1, 1, tzinfo=UTC))
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    monkeypatch.setattr(top_module, "views", endless)

    result = run_command(tmp_path, "top")

    assert (result.exit_code, closed) == (0, [True])
    assert "r does not answer since" in result.output


def test_last_figures_stay_while_the_router_is_silent() -> None:
    """Marked, so that nobody takes them for new."""
    console = Console(file=io.StringIO(), width=70, height=20, force_terminal=True)
    screen = Screen(Live(console=console, auto_refresh=False))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    screen.show(View("r", at, LOAD, (), (), ()))

    lines = screen._lines(Silence("r", at))

    assert "does not answer" in lines[0]
    assert "strategy random" in lines[1]
    assert len(lines) <= 19
