"""A member of rounds, put together for a daemon's composition root.

Decides which parts a membership has. Starts nothing: the daemon runs `participate`,
and `follow` where it wants priors, as background work, and closes what was opened.
"""

from dataclasses import dataclass

import grpc

from federated_router.federation.credentials import Credentials
from federated_router.federation.grpc_priors import GrpcPriors
from federated_router.federation.grpc_rounds import GrpcRounds
from federated_router.federation.member import Member
from federated_router.federation.odometer import Odometer
from federated_router.federation.participant import Participant
from federated_router.federation.priors_follower import (
    PriorsFollower,
    Receive,
    ignore,
)
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import Statistics
from federated_router.federation.vault import Vault
from federated_router.kit.clock import Clock
from federated_router.kit.revocation import Revocations
from federated_router.privacy.noise import NoiseSource, discrete_gaussian


@dataclass(frozen=True, slots=True)
class Membership:
    """What runs for one member; `close` once nothing of it runs any more."""

    participant: Participant
    follower: PriorsFollower
    vault: Vault

    async def participate(self) -> None:
        """Take part in rounds until cancelled."""
        await self.participant.run()

    async def follow(self) -> None:
        """Follow published priors until cancelled."""
        await self.follower.run()

    async def close(self) -> None:
        """Close the vault; the channel is its opener's to close."""
        await self.vault.close()


async def open_membership(
    settings: MembershipSettings,
    *,
    credentials: Credentials,
    channel: grpc.aio.Channel,
    statistics: Statistics,
    clock: Clock,
    receive: Receive = ignore,
    earlier_priors: int = 0,
    noise: NoiseSource = discrete_gaussian,
    revocations: Revocations | None = None,
) -> Membership:
    """Open the vault and return the member around it.

    `channel` leads to the coordinator; `receive` is handed each new revision,
    after up to `earlier_priors` that came before the first;
    `revocations` says whom a roster may not hold.
    """
    rounds = GrpcRounds(
        channel,
        call_timeout_s=settings.call_timeout_s,
        silence_s_max=settings.silence_s_max,
    )
    vault = await Vault.open(
        settings.vault,
        credentials=credentials,
        key_lifetime_s=settings.key_lifetime_s,
        clock=clock,
    )
    member = Member(
        credentials=credentials,
        client=rounds,
        vault=vault,
        statistics=statistics,
        floor=settings.floor,
        clock=clock,
        noise=noise,
        odometer=Odometer(
            vault.database,
            limit=settings.budget.limit if settings.budget else None,
            clock=clock,
        ),
        rounds_unfinished_max=settings.rounds_unfinished_max,
        revocations=revocations,
    )
    return Membership(
        participant=Participant(
            steps=member, watcher=rounds, backoff=settings.backoff, clock=clock
        ),
        follower=PriorsFollower(
            source=GrpcPriors(
                channel,
                call_timeout_s=settings.call_timeout_s,
                silence_s_max=settings.silence_s_max,
            ),
            receive=receive,
            earlier=earlier_priors,
            backoff=settings.backoff,
            clock=clock,
        ),
        vault=vault,
    )
