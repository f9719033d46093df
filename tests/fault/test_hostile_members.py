"""Members of the federation that lie: refused with the reason, or the round says so."""

from pathlib import Path

import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from tests.fault import hostile_member as lies
from tests.fault.hostile_member import hostile
from tests.fault.round_observer import Observer
from tests.support.processes import Processes

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
HONEST = {"node/node-1", "node/node-2", "node/node-3", "router/router"}
REFUSED = {
    "beyond the modulus": (lies.beyond_modulus, "CIPHERTEXT_MALFORMED"),
    "zeros": (lies.of_zeros, "CIPHERTEXT_MALFORMED"),
    "too short": (lies.too_short, "FIELD_INVALID"),
    "another member's signature": (lies.signed_by_another_member, "SIGNATURE_INVALID"),
    "another member's statement": (lies.another_members, "SIGNATURE_INVALID"),
    "a stranger's signature": (lies.signed_by_a_stranger, "SIGNATURE_INVALID"),
    "another roster": (lies.of_another_roster, "ROSTER_MISMATCH"),
}


async def test_malformed_and_foreign_contributions_are_refused_and_the_round_goes_on(
    federation: Processes, tmp_path: Path
) -> None:
    """Each lie has its reason; the sum is published without the liar.

    An accomplice on the same roster lends the liar its keys.
    """
    attacks = {name: make for name, (make, _) in REFUSED.items()}
    async with (
        federation.calls() as calls,
        hostile(federation, "oscar", tmp_path) as oscar,
        hostile(
            federation, "mallory", tmp_path, attacks=attacks, accomplice=oscar
        ) as mallory,
    ):
        observer = Observer(federation, calls)
        round_ = await observer.ended(await observer.create(members=6))

    assert mallory.said == {name: reason for name, (_, reason) in REFUSED.items()}
    assert round_.state == pb2.Round.STATE_PUBLISHED, round_.end_cause
    assert set(round_.survivors) == HONEST | {"node/oscar"}


async def test_ciphertext_that_nobody_encrypted_spoils_a_round_and_not_the_next(
    federation: Processes, tmp_path: Path
) -> None:
    """Nobody can see it when it comes; the count slot shows it in the sum.

    A garbled count equals the members' by chance below 1e-9.
    """
    async with federation.calls() as calls:
        observer = Observer(federation, calls)
        revision = await observer.newest_revision()
        attacks = {"poison": lies.poisoned}
        async with hostile(federation, "mallory", tmp_path, attacks=attacks) as mallory:
            first = await observer.ended(await observer.create(members=5))
        second = await observer.ended(await observer.create(members=4))

    assert mallory.said == {"poison": "ACCEPTED"}
    assert first.state in (pb2.Round.STATE_REJECTED, pb2.Round.STATE_ABORTED)
    assert first.end_cause
    assert second.state == pb2.Round.STATE_PUBLISHED, second.end_cause
    assert second.priors_revision == revision + 1
