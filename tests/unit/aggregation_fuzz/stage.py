"""Rounds of the product's coordinator that stand still while messages are tried.

Hypothesis calls a test many times; certificates, vaults and ciphertexts are made once,
on an event loop of this module's own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import signing
from federated_router.federation import statements
from federated_router.federation.vault_rows import RoundRecord
from federated_router.federation.wire import keys_to_message, round_from_message
from federated_router.kit.clock import ManualClock
from federated_router.kit.identity import set_current_identity
from federated_router.kit.validation import check_required
from tests.support.coordinator_world import (
    CELL,
    CONTEXT,
    CoordinatorWorld,
    header_of,
    identity,
)
from tests.support.round_member import (
    NAMES,
    Certificates,
    RunningMember,
    start_member,
)

STATE = pb2.Round.State
M = TypeVar("M", bound=Message)
Result = TypeVar("Result")


@dataclass
class Stage:
    """A round in one state, its members, and a loop to call the servicer on."""

    runner: asyncio.Runner
    world: CoordinatorWorld
    name: str = ""
    members: list[RunningMember] = field(default_factory=list)

    def run(self, call: Coroutine[Any, Any, Result]) -> Result:
        """Run one call to its end."""
        return self.runner.run(call)

    def close(self) -> None:
        """Close vaults, coordinator and loop."""
        for running in self.members:
            self.run(running.close())
        self.run(self.world.kill())
        self.runner.close()

    def newest(self, *, full: bool = False) -> pb2.Round:
        """Return the round as everybody sees it."""
        return self.run(self.world.newest(full=full))

    def record(self, index: int) -> RoundRecord:
        """Return what a member's vault holds about the round."""
        found = self.run(self.members[index].vault.find(self.name))
        assert found is not None
        return found

    async def call(self, method: str, caller: str, request: Message) -> Message:
        """Call a method as the interceptors would: checked, and on a connection."""
        set_current_identity(identity(caller))
        check_required(request)
        found: Message = await getattr(self.world.core.aggregation, method)(
            request, CONTEXT
        )
        return found

    async def send(self, caller: str, parts: Sequence[Message]) -> None:
        """Send a stream of contribution parts."""
        set_current_identity(identity(caller))
        await self.world.core.aggregation.SubmitContribution(_each(parts), CONTEXT)


async def _each(parts: Sequence[Message]) -> AsyncIterator[Any]:
    for part in parts:
        yield part


def at(state: str, directory: Path) -> Stage:
    """Open a round of four and lead it to `state`, in which nobody has acted yet.

    The clock stands where the certificates are valid and no deadline ever comes.
    """
    clock = ManualClock(time.time())
    certificates = Certificates(directory / "pki")
    runner = asyncio.Runner()
    world = CoordinatorWorld(certificates, directory, clock)
    runner.run(world.start())
    stage = Stage(runner, world)
    for number, name in enumerate(NAMES, start=1):
        running = runner.run(
            start_member(
                certificates.credentials(name),
                client=world.client(name),
                directory=directory / "vaults",
                clock=clock,
            )
        )
        running.statistics.succeed(CELL, latency_ms_per_token=float(number))
        stage.members.append(running)
    stage.name = runner.run(world.open_round())
    _lead(stage, state)
    return stage


def _lead(stage: Stage, state: str) -> None:
    for _ in range(12):
        if STATE.Name(stage.newest().state) == f"STATE_{state}":
            return
        for running in stage.members:
            _act(stage, running)
        stage.run(stage.world.work())
    raise AssertionError(f"The round never reached {state}.")


def _act(stage: Stage, running: RunningMember) -> None:
    message = stage.newest()
    if message.state not in (STATE.STATE_SUMMING, STATE.STATE_VALIDATING):
        stage.run(running.member.act(round_from_message(message)))


def parsed(message: M, content: bytes) -> M | None:
    """Return what `content` says as such a message, without what nobody reads.

    None where the bytes are no such message: those never reach a handler.
    """
    found = type(message)()
    try:
        found.ParseFromString(content)
    except DecodeError:
        return None
    found.DiscardUnknownFields()
    return found


def join_request(stage: Stage, index: int) -> pb2.JoinRoundRequest:
    """Return a member's own valid join."""
    running = stage.members[index]
    record = stage.run(running.vault.join(stage.name))
    own = running.member._own_entry(record)
    binding = own.announcement.binding
    statement = statements.join_statement(
        stage.name,
        running.member.name,
        keys=binding.keys,
        not_after_s=binding.not_after_s,
        commitment=own.commitment,
    )
    return pb2.JoinRoundRequest(
        round=stage.name,
        keys=keys_to_message(own.announcement),
        beacon_commitment=own.commitment,
        signature=signing.sign(statement, record.held.keys),
    )


def reveal_request(stage: Stage, index: int) -> pb2.RevealBeaconRequest:
    """Return a member's own valid reveal."""
    record = stage.record(index)
    statement = statements.reveal_statement(
        stage.name, stage.members[index].member.name, nonce=record.nonce
    )
    return pb2.RevealBeaconRequest(
        round=stage.name,
        nonce=record.nonce,
        signature=signing.sign(statement, record.held.keys),
    )


def contribution_parts(
    stage: Stage, index: int
) -> tuple[pb2.ContributionHeader, bytes]:
    """Return a member's own valid header and body, which it has not sent yet."""
    running = stage.members[index]
    round_ = round_from_message(stage.newest())

    async def made() -> tuple[pb2.ContributionHeader, bytes]:
        record = await running.vault.find(stage.name)
        assert record is not None
        roster = await running.member._verified_roster(round_, record)
        own = await running.member._contributing.contribution(round_, record, roster)
        return header_of(own), own.body

    return stage.run(made())


def check_request(stage: Stage, index: int) -> pb2.SubmitDealingCheckRequest:
    """Return a holder's own valid check, which it has not sent yet."""
    running = stage.members[index]
    round_ = round_from_message(stage.newest())

    async def made() -> pb2.SubmitDealingCheckRequest:
        record = await running.vault.find(stage.name)
        assert record is not None
        assert record.contributed is not None
        assert record.promise is not None
        check = await running.member._holding._make_check(
            round_, record, record.contributed, record.promise
        )
        return pb2.SubmitDealingCheckRequest(
            round=stage.name,
            combinations=check.combinations,
            signature=check.signature,
        )

    return stage.run(made())


def opening_request(stage: Stage, index: int) -> pb2.SubmitOpeningRequest:
    """Return a holder's own valid answer, which it has not sent yet."""
    running = stage.members[index]
    round_ = round_from_message(stage.newest())

    async def made() -> pb2.SubmitOpeningRequest:
        record = await running.vault.find(stage.name)
        assert record is not None
        assert record.contributed is not None
        assert record.promise is not None
        assert record.check is not None
        holding = running.member._holding
        dealt = await holding._checked_shares(
            round_, record, record.contributed, record.promise, record.check
        )
        answer = await holding._make_answer(round_, record, record.promise, dealt)
        return pb2.SubmitOpeningRequest(
            round=stage.name, share_sum=answer.share_sum, signature=answer.signature
        )

    return stage.run(made())
