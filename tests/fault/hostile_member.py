"""A member with a good certificate and bad intentions.

It joins and reveals with the product's own code, and then sends what its writer wants
instead of its contribution. What it was told is remembered.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from federated_router.crypto import signing
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.backoff import Backoff
from federated_router.federation.credentials import Credentials
from federated_router.federation.grpc_rounds import GrpcRounds
from federated_router.federation.participant import Participant
from federated_router.federation.round_view import Contribution
from federated_router.federation.statements import contribution_statement, sha256
from federated_router.federation.terms_verification import Floor
from federated_router.federation.vault import Vault
from federated_router.kit.clock import SystemClock
from federated_router.kit.errors import FederationError, RoundUnknown
from federated_router.kit.identity import Role
from tests.support.processes import Processes
from tests.support.round_member import start_member

FLOOR = Floor(noise_scale_min=1.4, participation_min=0.5, members_min=3)


@dataclass(frozen=True, slots=True)
class Material:
    """What an attack is made of: an honest contribution, and keys that sign.

    `lent` are the keys of another member of the same round, or the member's own.
    """

    honest: Contribution
    name: MemberName
    keys: MemberKeys = field(repr=False)
    lent: MemberKeys = field(repr=False)
    lender: MemberName

    def signed(self, body: bytes) -> Contribution:
        """Return another body, announced and signed as the protocol wants it."""
        return signed_by(self.keys, replace(self.honest, body=body), self.name)


Attack = Callable[[Material], Contribution]


def signed_by(keys: MemberKeys, sent: Contribution, name: MemberName) -> Contribution:
    """Return a contribution in the name of `name` with a signature of `keys`."""
    digest = sha256(sent.body)
    statement = contribution_statement(
        sent.round_name, name, roster_hash=sent.roster_hash, body_sha256=digest
    )
    return replace(sent, sha256=digest, signature=signing.sign(statement, keys))


def beyond_modulus(made: Material) -> Contribution:
    """Send words that the ring does not have."""
    rest = made.honest.body[CIPHERTEXT_BYTES:]
    return made.signed(b"\xff" * CIPHERTEXT_BYTES + rest)


def of_zeros(made: Material) -> Contribution:
    """Send a ciphertext that hides nothing."""
    return made.signed(bytes(CIPHERTEXT_BYTES) + made.honest.body[CIPHERTEXT_BYTES:])


def poisoned(made: Material) -> Contribution:
    """Send a ciphertext of the right form that nobody encrypted."""
    noise = os.urandom(CIPHERTEXT_BYTES)
    return made.signed(noise + made.honest.body[CIPHERTEXT_BYTES:])


def too_short(made: Material) -> Contribution:
    """Send a body cut off, with a header that admits it."""
    return made.signed(made.honest.body[:-1])


def signed_by_a_stranger(made: Material) -> Contribution:
    """Sign a good body with keys that nobody announced."""
    return signed_by(MemberKeys.generate(), made.honest, made.name)


def signed_by_another_member(made: Material) -> Contribution:
    """Sign a good body in the sender's name with keys of another member."""
    return signed_by(made.lent, made.honest, made.name)


def another_members(made: Material) -> Contribution:
    """Send what another member signed in its own name."""
    return signed_by(made.lent, made.honest, made.lender)


def of_another_roster(made: Material) -> Contribution:
    """Bind a good body to a roster that is not this round's."""
    other = replace(made.honest, roster_hash=RosterHash(os.urandom(32)))
    return signed_by(made.keys, other, made.name)


class HostileRounds(GrpcRounds):
    """The door to the coordinator, with attacks where the contribution goes."""

    vault: Vault
    name: MemberName
    attacks: Mapping[str, Attack]
    said: dict[str, str]
    accomplice: "HostileRounds"

    async def contribute(self, contribution: Contribution) -> None:
        """Send every attack once; the contribution itself only where there is none."""
        if not self.attacks:
            await super().contribute(contribution)
            return
        name = contribution.round_name
        material = Material(
            contribution,
            self.name,
            await self.keys(name),
            await self.accomplice.keys(name),
            self.accomplice.name,
        )
        for attack, make in self.attacks.items():
            if attack not in self.said:
                self.said[attack] = await self._outcome(make(material))

    async def keys(self, round_name: str) -> MemberKeys:
        """Return the keys that this member announced for a round."""
        record = await self.vault.find(round_name)
        if record is None:
            raise RoundUnknown("The vault has no such round.")
        return record.held.keys

    async def _outcome(self, sent: Contribution) -> str:
        try:
            await super().contribute(sent)
        except FederationError as error:
            return error.reason
        return "ACCEPTED"


@asynccontextmanager
async def hostile(
    federation: Processes,
    name: str,
    directory: Path,
    *,
    attacks: Mapping[str, Attack] | None = None,
    accomplice: HostileRounds | None = None,
) -> AsyncIterator[HostileRounds]:
    """Run a member `node/NAME` in the test's own process; honest without attacks."""
    tls = federation.tls(Role.NODE, name)
    async with federation.channel("coordinator", tls) as channel:
        client = HostileRounds(channel, call_timeout_s=20, silence_s_max=60)
        running = await start_member(
            Credentials.load(
                certificate=tls.certificate,
                private_key=tls.private_key,
                authority=tls.authority,
            ),
            client=client,
            directory=directory,
            clock=SystemClock(),
            floor=FLOOR,
        )
        client.vault, client.name = running.vault, MemberName(f"node/{name}")
        client.attacks, client.said = attacks or {}, {}
        client.accomplice = accomplice or client
        participant = Participant(
            steps=running.member,
            watcher=client,
            backoff=Backoff(least_s=0.05, most_s=0.5),
            clock=SystemClock(),
        )
        task = asyncio.create_task(participant.run())
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await running.close()
