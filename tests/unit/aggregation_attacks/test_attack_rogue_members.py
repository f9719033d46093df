"""A member makes its own key, nonce or ciphertext from somebody else's.

Textbook rogue keys choose a key as "target minus the others". Here that would cancel a
victim out of the sum, or put one in twice. Nothing of it may reach a published sum.
"""

import numpy as np
import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import body, packed_shamir, ring, signing
from federated_router.federation.statements import join_statement, reveal_statement
from federated_router.kit.errors import FederationError, FieldInvalid, SignatureInvalid
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import CONTEXT, CoordinatorWorld, identity
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import record_of
from tests.unit.aggregation_attacks.sum_round import SumRound

EVERYBODY = (1, 2, 3, 4)
VICTIM, ROGUE = 2, 4


def combined(made: SumRound, signs: dict[int, int]) -> bytes:
    """Return the body that is so many times the others', as ciphertexts add."""
    rows = [
        (sign, body.from_bytes(made.bodies[number], ciphertexts=1))
        for number, sign in signs.items()
    ]
    total = np.zeros((1, ring.DEGREE), dtype=np.uint64)
    for sign, row in rows:
        total = ring.add(total, row) if sign > 0 else ring.subtract(total, row)
    return body.to_bytes(total)


@pytest.mark.parametrize(
    "signs",
    [
        {ROGUE: 1, VICTIM: -1},
        {ROGUE: 1, VICTIM: 1},
        {VICTIM: 1},
        {ROGUE: 1, 1: -1, VICTIM: -1, 3: -1},
    ],
)
def test_ciphertext_made_from_a_victims_is_never_released(
    signs: dict[int, int],
) -> None:
    """Cancelled, doubled, copied: the secret that opens is the sum of what was shared.

    The rogue cannot share the victim's secret, which it does not know.
    """
    made = SumRound.of(4)
    made.bodies[ROGUE] = combined(made, signs)

    with pytest.raises(FederationError):
        made.released(made.answers(EVERYBODY, EVERYBODY), EVERYBODY)


def test_victim_is_cancelled_by_who_knows_its_secret() -> None:
    """The same ciphertext with shares of minus the victim's secret: it is the secret.

    Even so the count gives the rogue away, which puts the victim's 1 out of the sum.
    """
    made = SumRound.of(4)
    made.bodies[ROGUE] = combined(made, {ROGUE: 1, VICTIM: -1})
    small = made.secrets[ROGUE].astype(np.int64) - made.secrets[VICTIM]
    made.shares[ROGUE] = packed_shamir.deal(small, made.thresholds)

    with pytest.raises(FederationError, match="does not count the accepted"):
        made.released(made.answers(EVERYBODY, EVERYBODY), EVERYBODY)


def test_rogue_ciphertext_of_its_own_making_opens_as_usual() -> None:
    """The attempt above fails for its content, and not because it was altered."""
    made = SumRound.of(4)
    made.bodies[ROGUE] = combined(made, {ROGUE: 1})

    sums, liars = made.released(made.answers(EVERYBODY, EVERYBODY), EVERYBODY)

    assert np.array_equal(sums, made.expected(EVERYBODY))
    assert not liars


async def join_request(
    running: RunningMember, name: str, *, commitment: bytes
) -> pb2.JoinRoundRequest:
    """Return a member's own, validly signed join with any commitment."""
    record = await running.vault.join(name)
    announcement = record.held.announcement
    binding = announcement.binding
    statement = join_statement(
        name,
        running.member.name,
        keys=binding.keys,
        not_after_s=binding.not_after_s,
        commitment=commitment,
    )
    return pb2.JoinRoundRequest(
        round=name,
        keys=pb2.MemberKeys(
            signing_key=binding.keys.signing,
            sealing_key=binding.keys.sealing,
            not_after_s=binding.not_after_s,
            certificate_der=announcement.certificate_der,
            binding_signature=binding.signature,
        ),
        beacon_commitment=commitment,
        signature=signing.sign(statement, record.held.keys),
    )


async def join(
    world: CoordinatorWorld, caller: str, request: pb2.JoinRoundRequest
) -> None:
    """Send a join on the caller's connection."""
    set_current_identity(identity(caller))
    await world.core.aggregation.JoinRound(request, CONTEXT)


async def test_commitment_of_another_member_cannot_be_joined_with(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Who copies a commitment would copy the nonce too, and speak last."""
    name = await world.open_round()
    first, rogue = members[0], members[1]
    own = await join_request(first, name, commitment=bytes(range(32)))
    await join(world, first.member.name, own)

    copied = await join_request(rogue, name, commitment=bytes(range(32)))
    with pytest.raises(FieldInvalid):
        await join(world, rogue.member.name, copied)


async def test_keys_of_another_member_cannot_be_joined_with(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The whole announcement of another, on the rogue's own connection."""
    name = await world.open_round()
    first, rogue = members[0], members[1]
    theirs = await join_request(first, name, commitment=bytes(range(32)))

    with pytest.raises(SignatureInvalid):
        await join(world, rogue.member.name, theirs)


async def test_nonce_chosen_after_the_others_spoke_is_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The rogue waits for everybody's nonce and reveals one that suits it."""
    name = await world.open_round()
    for running in members:
        await running.member.act(await world.client(running.member.name).get(name))
    rogue = members[3]
    for running in members[:3]:
        await running.member.act(await world.client(running.member.name).get(name))
    record = await record_of(rogue, name)
    own = await world.client(rogue.member.name).get(name)

    for chosen in (bytes(32), bytes([record.nonce[0] ^ 1]) + record.nonce[1:]):
        statement = reveal_statement(name, rogue.member.name, nonce=chosen)
        with pytest.raises(SignatureInvalid):
            await world.client(rogue.member.name).reveal(
                name, nonce=chosen, signature=signing.sign(statement, record.held.keys)
            )
    assert own.beacon == b""
