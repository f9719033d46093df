"""A measured federation: a process of members that ends is told, not waited for."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest

from federated_router.api.v1 import aggregation_pb2 as pb
from tests.bench.round_plan import Plan
from tests.bench.round_world import MeasuredWorld, RoundWorld

ENOUGH_S = 20.0


class _Endless:
    async def run_round(self, request_id: str, *, members: int) -> pb.Round:
        del request_id, members
        await asyncio.Event().wait()
        raise AssertionError


class _Quick:
    async def run_round(self, request_id: str, *, members: int) -> pb.Round:
        return pb.Round(name=request_id, joined_count=members)


@contextmanager
def _world(operator: object, *, code: str) -> Iterator[MeasuredWorld]:
    command = (sys.executable, "-c", code)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
        yield MeasuredWorld(
            Plan(Path("nowhere"), 3, 1),
            cast("RoundWorld", operator),
            psutil.Process(),
            [worker],
        )


async def test_a_round_ends_with_an_error_once_a_process_of_members_has() -> None:
    """Its members never join, and the round would wait until its deadline."""
    with _world(_Endless(), code="raise SystemExit(3)") as world:
        async with asyncio.timeout(ENOUGH_S):
            with pytest.raises(RuntimeError, match="process of members has ended"):
                await world.run_round("round")


async def test_a_round_is_opened_for_every_member_of_the_plan() -> None:
    """Fewer would end joining early, more would wait for nobody."""
    with _world(_Quick(), code="import sys; sys.stdin.read()") as world:
        seconds, ended = await world.run_round("round")

    assert (ended.name, ended.joined_count) == ("round", 3)
    assert seconds >= 0.0
