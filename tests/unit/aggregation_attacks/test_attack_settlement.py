"""A coordinator that lies about how a round ended, or which round it talks about.

A batch of requests whose sum may have been opened is never told again: two noised sums
over the same requests tell more than one. Names are the coordinator's to send, so that
they must be looked at like everything else.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from federated_router.federation.round_view import Round, RoundState
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from tests.support.round_coordinator import CELL, MemoryCoordinator, MemoryRounds
from tests.support.round_member import (
    NAMES,
    Certificates,
    RunningMember,
    start_member,
)
from tests.unit.aggregation_attacks.steps import checked

BAIT = "rounds/bait"


class LyingRounds(MemoryRounds):
    """The coordinator's door for one member; what it says about the bait is a lie."""

    lie: Round

    async def get(self, round_name: str) -> Round:
        """Return the lie for the bait, and the truth for every other round."""
        return self.lie if round_name == BAIT else await super().get(round_name)


@pytest.fixture
async def deceived(
    hostile: MemoryCoordinator,
    victims: list[RunningMember],
    certificates: Certificates,
    directory: Path,
    clock: ManualClock,
) -> AsyncIterator[RunningMember]:
    """Give a member that was lured into the bait, and then answered in a round."""
    await victims[0].close()
    client = LyingRounds(hostile, victims[0].member.name)
    running = await start_member(
        certificates.credentials(NAMES[0]),
        client=client,
        directory=directory / "vaults",
        clock=clock,
    )
    running.statistics.succeed(CELL, latency_ms_per_token=10.0)
    await running.vault.join(BAIT)
    await checked(hostile, [running, *victims[1:]])
    await running.member.act(hostile.end_checking())
    assert hostile.answers
    assert running.statistics.balance().pending == 0
    yield running
    await running.close()


def lie_to(running: RunningMember, hostile: MemoryCoordinator, name: str) -> None:
    """Let the coordinator say that a round of this name was given up before opening."""
    client = running.member._settling._client
    assert isinstance(client, LyingRounds)
    aborted = replace(hostile.round, name=name, state=RoundState.ABORTED)
    client.lie = replace(aborted, history=frozenset({RoundState.JOINING}))


async def test_lie_about_another_round_leaves_an_answered_batch_alone(
    deceived: RunningMember, hostile: MemoryCoordinator
) -> None:
    """The bait ends, under its own name; the round that was answered does not."""
    lie_to(deceived, hostile, BAIT)

    await deceived.member.settle_others(hostile.round.name)

    assert deceived.statistics.balance().pending == 0


async def test_answer_about_the_bait_that_names_the_answered_round_frees_no_batch(
    deceived: RunningMember, hostile: MemoryCoordinator
) -> None:
    """Asked about the bait, the coordinator describes the round that was answered.

    The bait was never contributed to, so that the fate is to tell again; of which
    batch, a name from the coordinator must not decide.
    """
    lie_to(deceived, hostile, hostile.round.name)

    await _settled(deceived, hostile)

    assert deceived.statistics.balance().pending == 0


async def _settled(running: RunningMember, hostile: MemoryCoordinator) -> None:
    """Settle what is left; refusing the lie by name is right as well."""
    try:
        await running.member.settle_others(hostile.round.name)
    except FieldInvalid:
        return


async def test_round_of_a_name_that_is_none_is_not_joined(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """It would fill the vault, which remembers ten thousand names, and the log."""
    for name in ("rounds/", "x" * 100_000, "rounds/A b\n", "rounds/../keys"):
        hostile.round = replace(hostile.round, name=name)
        with pytest.raises(FieldInvalid):
            await victims[0].member.act(hostile.round)
