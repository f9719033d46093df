"""A member's contribution: charged, frozen, built, and on disk before it is sent.

Decides the order of these steps and what becomes of each when a later one fails: what
was built waits for a vault that is slow, what was frozen thaws. Refuses to know the
mathematics (`contribution`), the roster's checks (`verification`) and when to send.
"""

import asyncio
from functools import partial

from federated_router.crypto import signing
from federated_router.crypto.sealing import KeptExchanges
from federated_router.federation import contribution as making
from federated_router.federation.contribution import MadeContribution
from federated_router.federation.credentials import Credentials
from federated_router.federation.odometer import Odometer
from federated_router.federation.round_view import Contribution, Round
from federated_router.federation.statements import contribution_statement, sha256
from federated_router.federation.statistics import Statistics
from federated_router.federation.terms_verification import Floor, verify_terms
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import RoundRecord
from federated_router.federation.verification import Roster, promised
from federated_router.kit.errors import FederationError
from federated_router.kit.log import get_logger
from federated_router.priors.sample_size import cells_to_take
from federated_router.privacy.noise import NoiseSource
from federated_router.privacy.round_step import round_step

_log = get_logger(__name__)


class Contributing:
    """Makes the contributions of one member; without an odometer it charges nothing."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        vault: Vault,
        statistics: Statistics,
        floor: Floor,
        noise: NoiseSource,
        odometer: Odometer | None,
        exchanges: KeptExchanges,
    ) -> None:
        self._credentials = credentials
        self._vault = vault
        self._statistics = statistics
        self._floor = floor
        self._noise = noise
        self._odometer = odometer
        self._exchanges = exchanges
        self._made: MadeContribution | None = None

    def forget(self) -> None:
        """Drop what was built and not stored: its round has ended."""
        self._made = None

    async def contribution(
        self, round_: Round, record: RoundRecord, roster: Roster
    ) -> Contribution:
        """Return the one contribution to a round, which is on disk by then.

        Raises what refuses a round (NotNow, BudgetExhausted, HeadroomExceeded, ...).
        """
        if record.contributed is not None:
            whole = await self._vault.find(round_.name)
            if whole is not None and whole.contribution is not None:
                return whole.contribution
        made = self._made
        if made is None or not made.is_of(round_.name, roster):
            made = self._made = await self._built(round_, record, roster)
        stored = await self._vault.store_contribution(
            made.contribution, batch=made.batch, promise=made.promise
        )
        self._made = None
        return stored

    async def _built(
        self, round_: Round, record: RoundRecord, roster: Roster
    ) -> MadeContribution:
        """Charge, freeze and build; what is frozen thaws if that fails.

        The charge comes first, as a round that is refused costs least then; it is given
        back when a round without a contribution of this member ends.
        """
        sigma = verify_terms(round_, self._floor, members=len(roster.members))
        promise = promised(round_, roster, self._floor)
        catalogue = round_.catalogue
        await self._charge(round_, sigma)
        take = partial(
            cells_to_take,
            samples_min=catalogue.samples_min,
            noise_scale=round_.noise.scale,
            noise=self._noise,
        )
        batch = await asyncio.to_thread(
            self._statistics.begin_contribution, round_.name, take=take
        )
        try:
            encoding, body = await asyncio.to_thread(
                making.encode_and_build,
                batch,
                catalogue=catalogue,
                sigma=sigma,
                own=self._credentials.member,
                keys=record.held.keys,
                roster=roster,
                noise=self._noise,
                exchanges=self._exchanges,
            )
        except FederationError:
            self._statistics.restore(round_.name)
            raise
        if not round_.noise.cohort_size:
            self._statistics.own_parts.note(round_.name, catalogue, encoding.values)
        _log.info(
            "contribution made",
            round=round_.name,
            body_bytes=len(body),
            requests_left_out=encoding.left_out,
            requests_clipped=encoding.clipped,
        )
        return MadeContribution(self._signed(roster, record, body), batch, promise)

    async def _charge(self, round_: Round, sigma: float) -> None:
        """Count what the round may tell; raise BudgetExhausted beyond the limit."""
        if self._odometer is None:
            return
        step = round_step(
            sensitivity_squared=round_.noise.sensitivity_squared,
            share_sigma=sigma,
            shares_min=round_.noise.honest_min,
            length=round_.catalogue.statistic_slots,
        )
        await self._odometer.charge(round_.name, step)

    def _signed(self, roster: Roster, record: RoundRecord, body: bytes) -> Contribution:
        digest = sha256(body)
        statement = contribution_statement(
            roster.round_name,
            self._credentials.member,
            roster_hash=roster.hash,
            body_sha256=digest,
        )
        return Contribution(
            round_name=roster.round_name,
            roster_hash=roster.hash,
            body=body,
            sha256=digest,
            signature=signing.sign(statement, record.held.keys),
        )
