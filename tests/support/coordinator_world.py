"""A coordinator that can be killed, and a door to it without a network.

The coordinator is the product's own, on a real SQLite file and a clock that stands
still; killing it drops everything but the file.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.app import MIGRATIONS
from coordinator.config import (
    CoordinatorSettings,
    RoundSettings,
    StoreSettings,
)
from coordinator.core import Core, assemble
from coordinator.priors.settings import CatalogueSettings
from coordinator.rounds.round import RoundName
from coordinator.simulation import server
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import (
    Announcement,
    Contribution,
    RosterMember,
    Round,
    SealedShares,
)
from federated_router.federation.survivor_signature import SurvivorSet
from federated_router.federation.wire import (
    contributor_set_from_message,
    keys_to_message,
    roster_from_message,
    round_from_message,
    survivor_set_from_message,
)
from federated_router.kit.authority import IdentityFiles
from federated_router.kit.clock import ManualClock
from federated_router.kit.config import TlsSettings
from federated_router.kit.database import Database
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.priors.contents import Cell
from tests.support.round_member import TRUST_DOMAIN, Certificates

CELL = Cell("models/a", "eu")
CONTEXT = server.CONTEXT

ROUNDS = RoundSettings(
    noise_scale=4.0,
    participation_min=0.75,
    joining_s=60,
    revealing_s=30,
    collecting_s=120,
    checking_s=120,
    summing_s=120,
    opening_s=120,
    validating_s=60,
    resume_grace_s=10,
)


def identity(name: str) -> Identity:
    """Return `role/id` as the interceptor would."""
    role, _, peer_id = name.partition("/")
    return Identity(Role(role), peer_id, TRUST_DOMAIN)


@dataclass
class CoordinatorWorld:
    """Starts, kills and restarts one coordinator."""

    certificates: Certificates
    directory: Path
    clock: ManualClock
    rounds: RoundSettings = ROUNDS
    _files: IdentityFiles | None = None
    _core: Core | None = None
    _database: Database | None = None
    restarts: int = field(default=0)

    @property
    def core(self) -> Core:
        """The running coordinator."""
        assert self._core is not None
        return self._core

    @property
    def files(self) -> IdentityFiles:
        """The coordinator's certificate, the same one for all its lives."""
        if self._files is None:
            self._files = self.certificates.issue("coordinator/main")
        return self._files

    async def start(self) -> None:
        """Open the file and take up what is there."""
        files = self.files
        settings = CoordinatorSettings(
            tls=TlsSettings(
                certificate=files.certificate,
                private_key=files.private_key,
                authority=files.authority,
            ),
            store=StoreSettings(
                url=f"sqlite+aiosqlite:///{self.directory}/coordinator.sqlite"
            ),
            catalogue=CatalogueSettings(
                models=("a",), regions=("eu",), slot_max=1000, samples_min=0
            ),
            rounds=self.rounds,
        )
        self._database = await Database.open(settings.store.url, migrations=MIGRATIONS)
        self._core = assemble(
            settings,
            terms=settings.terms(),
            credentials=Credentials.load(
                certificate=files.certificate,
                private_key=files.private_key,
                authority=files.authority,
            ),
            database=self._database,
            clock=self.clock,
        )
        await self._core.conductor.resume()

    async def kill(self) -> None:
        """Drop the coordinator; only the file stays."""
        if self._database is not None:
            await self._database.close()
        self._core = self._database = None

    async def restart(self) -> None:
        """Kill the coordinator and start another one on the same file."""
        await self.kill()
        self.restarts += 1
        await self.start()

    async def open_round(self, members_expected: int = 4) -> RoundName:
        """Open a round as an operator, and return its name."""
        set_current_identity(identity("operator/op"))
        request = pb2.CreateRoundRequest(
            request_id=f"request-{self.restarts}", members_expected=members_expected
        )
        response = await self.core.aggregation.CreateRound(request, CONTEXT)
        return RoundName(response.round.name)

    async def newest(self, *, full: bool = False) -> pb2.Round:
        """Return the newest round as everybody sees it."""
        set_current_identity(identity("operator/op"))
        view = pb2.ROUND_VIEW_FULL if full else pb2.ROUND_VIEW_BASIC
        responses = self.core.aggregation.WatchRound(
            pb2.WatchRoundRequest(name="rounds/-", view=view), CONTEXT
        )
        async with aclosing(responses):
            return (await anext(responses)).round

    async def work(self) -> None:
        """Let the coordinator do one piece of work that is due."""
        await self.core.conductor.step()

    def client(self, name: str) -> "InProcessRounds":
        """Return the door of one member."""
        return InProcessRounds(self, identity(name))


@dataclass
class InProcessRounds:
    """RoundsClient of one member: the servicer's methods, called as that member."""

    world: CoordinatorWorld
    caller: Identity

    async def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield the newest round once."""
        message = await self.world.newest()
        yield round_from_message(message) if message.name else None

    async def get(self, round_name: str) -> Round:
        """Return one round."""
        set_current_identity(self.caller)
        request = pb2.GetRoundRequest(name=round_name)
        response = await self.world.core.aggregation.GetRound(request, CONTEXT)
        return round_from_message(response.round)

    async def join(
        self, round_name: str, entry: RosterMember, *, signature: bytes
    ) -> Round:
        """Join with keys and a commitment."""
        set_current_identity(self.caller)
        request = pb2.JoinRoundRequest(
            round=round_name,
            keys=keys_to_message(entry.announcement),
            beacon_commitment=entry.commitment,
            signature=signature,
        )
        response = await self.world.core.aggregation.JoinRound(request, CONTEXT)
        return round_from_message(response.round)

    async def reveal(self, round_name: str, *, nonce: bytes, signature: bytes) -> Round:
        """Reveal the nonce."""
        set_current_identity(self.caller)
        request = pb2.RevealBeaconRequest(
            round=round_name, nonce=nonce, signature=signature
        )
        response = await self.world.core.aggregation.RevealBeacon(request, CONTEXT)
        return round_from_message(response.round)

    async def contribute(self, contribution: Contribution) -> None:
        """Send the contribution in two chunks."""
        await self.send(parts_of(contribution))

    async def send(self, parts: AsyncIterator[pb2.SubmitContributionRequest]) -> None:
        """Send any stream."""
        set_current_identity(self.caller)
        await self.world.core.aggregation.SubmitContribution(parts, CONTEXT)

    async def download_shares(
        self, round_name: str, *, size_bytes_max: int
    ) -> SealedShares:
        """Return the contributor set and this holder's shares."""
        set_current_identity(self.caller)
        request = pb2.DownloadSharesRequest(round=round_name)
        stream = self.world.core.aggregation.DownloadShares(request, CONTEXT)
        async with aclosing(stream):
            first, *chunks = [part async for part in stream]
        body = b"".join(part.chunk for part in chunks)
        assert len(body) == first.header.size_bytes <= size_bytes_max
        return SealedShares(contributor_set_from_message(first.header), body)

    async def roster(
        self, round_name: str, *, known: Mapping[bytes, Announcement]
    ) -> tuple[RosterMember, ...]:
        """Return the final roster."""
        set_current_identity(self.caller)
        request = pb2.GetRosterRequest(round=round_name, known_keys=list(known))
        response = await self.world.core.aggregation.GetRoster(request, CONTEXT)
        return roster_from_message(response, round_name=round_name, known=known)

    async def check(
        self, round_name: str, *, combinations: bytes, signature: bytes
    ) -> None:
        """Send the one check."""
        set_current_identity(self.caller)
        request = pb2.SubmitDealingCheckRequest(
            round=round_name, combinations=combinations, signature=signature
        )
        await self.world.core.aggregation.SubmitDealingCheck(request, CONTEXT)

    async def survivors(self, round_name: str) -> SurvivorSet:
        """Return the signed survivor set."""
        set_current_identity(self.caller)
        request = pb2.GetSurvivorSetRequest(round=round_name)
        response = await self.world.core.aggregation.GetSurvivorSet(request, CONTEXT)
        return survivor_set_from_message(response)

    async def answer(
        self, round_name: str, *, share_sum: bytes, signature: bytes
    ) -> None:
        """Send the one answer."""
        set_current_identity(self.caller)
        request = pb2.SubmitOpeningRequest(
            round=round_name, share_sum=share_sum, signature=signature
        )
        await self.world.core.aggregation.SubmitOpening(request, CONTEXT)


def header_of(contribution: Contribution) -> pb2.ContributionHeader:
    """Return the header that goes before a body."""
    return pb2.ContributionHeader(
        round=contribution.round_name,
        roster_hash=contribution.roster_hash,
        size_bytes=len(contribution.body),
        sha256=contribution.sha256,
        signature=contribution.signature,
    )


async def parts_of(
    contribution: Contribution,
) -> AsyncIterator[pb2.SubmitContributionRequest]:
    """Yield a contribution as it travels."""
    yield pb2.SubmitContributionRequest(header=header_of(contribution))
    half = len(contribution.body) // 2
    yield pb2.SubmitContributionRequest(chunk=contribution.body[:half])
    yield pb2.SubmitContributionRequest(chunk=contribution.body[half:])
