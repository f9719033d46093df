"""A member's vault and its door to the coordinator, with a witness beside them.

Decides where the witness looks, and where an attacker's forgery takes the place of what
the product's member made. Everything else is inherited. Refuses to know machines and
the network.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from coordinator.simulation import attack as attacks
from coordinator.simulation.attack import Attack
from coordinator.simulation.plan import Part
from coordinator.simulation.shared_roster import SharedRosters
from coordinator.simulation.witness import Made, Vector, Witness
from federated_router.crypto import signing
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.grpc_rounds import GrpcRounds
from federated_router.federation.round_view import (
    Announcement,
    Contribution,
    RosterMember,
    Round,
)
from federated_router.federation.statements import check_statement, opening_statement
from federated_router.federation.statistics import Batch
from federated_router.federation.vault import Vault
from federated_router.federation.verification import Promise
from federated_router.kit.errors import FederationError


@dataclass(slots=True)
class Sight:
    """What one member last saw of a round, for its own forgeries."""

    newest: Round | None = None
    roster: tuple[RosterMember, ...] = ()
    rounds_seen: int = 0
    noise: Vector | None = None
    poison: Vector | None = None
    earlier: Contribution | None = None


class WitnessedVault(Vault):
    """The member's vault; notes what is made, and stores what an attacker forged."""

    _part: Part
    _sight: Sight
    _witness: Witness

    def watched(self, part: Part, sight: Sight, witness: Witness) -> None:
        """Say whose vault it is, and who looks on."""
        self._part, self._sight, self._witness = part, sight, witness

    async def store_contribution(
        self, contribution: Contribution, *, batch: Batch, promise: Promise
    ) -> Contribution:
        """Write a contribution before it is sent; return the one that stands."""
        made = await self._forged(contribution)
        self._note(made, batch, known=made == contribution)
        self._sight.earlier = contribution
        return await super().store_contribution(made, batch=batch, promise=promise)

    async def _forged(self, honest: Contribution) -> Contribution:
        round_ = self._sight.newest
        record = await self.find(honest.round_name)
        if self._part.attack not in attacks.FORGING or round_ is None or record is None:
            return honest
        return await asyncio.to_thread(
            attacks.forged,
            self._part.attack,
            honest,
            round_=replace(round_, roster=self._sight.roster),
            own=self._credentials.member,
            keys=record.held.keys,
            earlier=self._sight.earlier,
        )

    def _note(self, made: Contribution, batch: Batch, *, known: bool) -> None:
        round_, sight = self._sight.newest, self._sight
        if round_ is None or sight.noise is None or sight.poison is None:
            return
        bounds_ms = round_.catalogue.latency_bounds_ms
        counts = round_.catalogue.encode(batch.over(bounds_ms)).values
        noted = Made(
            self._part.name,
            np.array(counts, dtype=np.int64),
            sight.noise,
            sight.poison,
            known,
        )
        # What is sent again, or in another round, holds what it held at first.
        self._witness.made.setdefault(made.sha256, noted)


class Door(GrpcRounds):
    """The member's door to the coordinator; notes what is said, and may lie."""

    _part: Part
    _vault: Vault
    _sight: Sight
    _witness: Witness
    _rosters: SharedRosters
    _vanish: Callable[[], None]

    def watched(
        self,
        *,
        part: Part,
        vault: Vault,
        sight: Sight,
        witness: Witness,
        rosters: SharedRosters,
        vanish: Callable[[], None],
    ) -> None:
        """Say whose door it is, who looks on, and how its owner vanishes."""
        self._part, self._vault, self._vanish = part, vault, vanish
        self._rosters = rosters
        self._sight, self._witness = sight, witness

    async def watch(self) -> AsyncGenerator[Round | None, None]:
        """Yield the newest round; a member whose time has come vanishes here."""
        watched = super().watch()
        try:
            async for round_ in watched:
                self._look(round_)
                yield round_
        finally:
            await watched.aclose()

    async def reveal(self, round_name: str, *, nonce: bytes, signature: bytes) -> Round:
        """Reveal the nonce."""
        self._witness.nonces[round_name, self._name].add(nonce)
        return await super().reveal(round_name, nonce=nonce, signature=signature)

    async def contribute(self, contribution: Contribution) -> None:
        """Send the contribution."""
        key = contribution.round_name, self._name
        self._witness.bodies[key].add(contribution.sha256)
        await self._heard(super().contribute(contribution))

    async def roster(
        self, round_name: str, *, known: Mapping[bytes, Announcement]
    ) -> tuple[RosterMember, ...]:
        """Return the final roster, equal ones once in memory."""
        members = await super().roster(round_name, known=known)
        self._sight.roster = self._rosters.interned(members)
        return self._sight.roster

    async def check(
        self, round_name: str, *, combinations: bytes, signature: bytes
    ) -> None:
        """Send the one check; a liar sends another one."""
        if self._part.attack is Attack.FALSE_CHECK:
            combinations, signature = await self._false_check(round_name, combinations)
        self._witness.checks[round_name, self._name].add(combinations)
        await self._heard(
            super().check(round_name, combinations=combinations, signature=signature)
        )

    async def answer(
        self, round_name: str, *, share_sum: bytes, signature: bytes
    ) -> None:
        """Send the one answer; a liar sends another one, or one more."""
        attack = self._part.attack
        if attack is Attack.LYING_HOLDER:
            share_sum, signature = await self._lie(round_name, share_sum)
        self._witness.answers[round_name, self._name].add(share_sum)
        await self._heard(
            super().answer(round_name, share_sum=share_sum, signature=signature)
        )
        if attack is Attack.TWO_ANSWERS:
            other, signature = await self._lie(round_name, share_sum)
            await self._heard(
                super().answer(round_name, share_sum=other, signature=signature)
            )

    @property
    def _name(self) -> str:
        return self._part.name

    async def _lie(self, round_name: str, share_sum: bytes) -> tuple[bytes, bytes]:
        keys, roster_hash = await self._signer(round_name)
        other = attacks.altered(share_sum)
        statement = opening_statement(
            round_name,
            MemberName(self._name),
            roster_hash=roster_hash,
            share_sum=other,
        )
        return other, signing.sign(statement, keys)

    async def _false_check(
        self, round_name: str, combinations: bytes
    ) -> tuple[bytes, bytes]:
        keys, roster_hash = await self._signer(round_name)
        other = attacks.altered(combinations)
        statement = check_statement(
            round_name,
            MemberName(self._name),
            roster_hash=roster_hash,
            combinations=other,
        )
        return other, signing.sign(statement, keys)

    async def _signer(self, round_name: str) -> tuple[MemberKeys, RosterHash]:
        record = await self._vault.find(round_name)
        if record is None or record.contribution is None:
            raise AssertionError("Who says more than a nonce has contributed.")
        return record.held.keys, record.contribution.roster_hash

    async def _heard(self, call: Awaitable[None]) -> None:
        try:
            await call
        except FederationError as error:
            self._witness.refusals[self._part.attack][error.reason] += 1
            raise

    def _look(self, round_: Round | None) -> None:
        sight, part = self._sight, self._part
        if round_ is None:
            return
        if sight.newest is None or sight.newest.name != round_.name:
            sight.rounds_seen += 1
        sight.newest = round_
        due = sight.rounds_seen > part.vanishes_at
        if part.vanishes_in is round_.state and due:
            self._vanish()
