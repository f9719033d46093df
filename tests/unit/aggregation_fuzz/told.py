"""What a member is told while a round is OPENING, and how it checks a round."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.federation.round_view import RosterMember, Round
from federated_router.federation.terms_verification import verify_offer, verify_terms
from federated_router.federation.verification import Roster, promised, verify_roster
from federated_router.federation.wire import (
    roster_from_message,
    round_from_message,
)
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import CONTEXT, identity
from tests.support.round_member import FLOOR
from tests.unit.aggregation_fuzz import stage as staging
from tests.unit.aggregation_fuzz.stage import Stage

# Certificates are issued when a test first asks for them, minutes after this line runs.
NOW_S = time.time() + 1800


@dataclass(frozen=True, slots=True, repr=False)
class Told:
    """What the first member of an opening round is told, and how it reads that."""

    stage: Stage
    shown: pb2.Round
    listing: pb2.GetRosterResponse
    roster: Roster
    own: RosterMember
    header: pb2.SharesHeader
    shares: bytes
    survivors: pb2.GetSurvivorSetResponse

    def __repr__(self) -> str:
        """Keep reports of failed tests short."""
        return "<a round that stands in OPENING>"


def tell(directory: Path) -> Told:
    """Lead a round to OPENING, and read it as its first member."""
    stage = staging.at("OPENING", directory)
    message = stage.newest()
    own = stage.members[0].member._own_entry(stage.record(0), revealed=True)
    request = pb2.GetRosterRequest(round=stage.name)
    listing = stage.run(stage.call("GetRoster", "node/node-1", request))
    assert isinstance(listing, pb2.GetRosterResponse)
    survivors = stage.run(
        stage.call(
            "GetSurvivorSet",
            "node/node-1",
            pb2.GetSurvivorSetRequest(round=stage.name),
        )
    )
    assert isinstance(survivors, pb2.GetSurvivorSetResponse)
    first, *chunks = stage.run(downloaded(stage))
    return Told(
        stage,
        message,
        listing,
        read(message, listing, own, stage),
        own,
        first.header,
        b"".join(part.chunk for part in chunks),
        survivors,
    )


async def downloaded(stage: Stage) -> list[pb2.DownloadSharesResponse]:
    """Download the first member's shares."""
    set_current_identity(identity("node/node-1"))
    request = pb2.DownloadSharesRequest(round=stage.name)
    stream = stage.world.core.aggregation.DownloadShares(request, CONTEXT)
    return [part async for part in stream]


def read(
    message: pb2.Round,
    listing: pb2.GetRosterResponse,
    own: RosterMember,
    stage: Stage,
) -> Roster:
    """Check a round and its roster as a member does before it contributes."""
    round_: Round = round_from_message(message)
    verify_offer(round_, FLOOR)
    members = roster_from_message(listing, round_name=round_.name, known={})
    shown = replace(round_, roster=members)
    trust = stage.members[0].credentials.trust
    roster = verify_roster(shown, own=own, floor=FLOOR, trust=trust, now_s=NOW_S)
    verify_terms(shown, FLOOR, members=len(roster.members))
    promise = promised(shown, roster, FLOOR)
    assert promise.contributors_min >= promise.survivors_min >= FLOOR.members_min
    return roster
