"""What this member's contributions may have told, counted by the member itself.

Decides what a window and a lifetime have cost in whole units of zCDP, and refuses the
contribution that would pass the member's own limit. Refuses to believe the
coordinator's ledger, and to know how a step is priced (`privacy.measure`). A charge is
on disk before the contribution that it pays for, counts once per round however often it
is repeated, and is given back only where nothing was contributed.

It counts what one member publishes. What several members publish about the same person
is for the federation's account, under its assumption (docs/privacy_model.md).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from federated_router.federation import metrics
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.errors import BudgetExhausted
from federated_router.privacy.measure import ZCDP, step_units
from federated_router.privacy.renewal import (
    RenewalPolicy,
    next_renewal_s,
    rfc3339,
    window_start_s,
)
from federated_router.privacy.step import Step
from federated_router.privacy.step_text import step_text
from federated_router.privacy.units import UNITS_MAX

CHARGES_MAX: Final = 10_000
"""Rounds of which each charge is kept; the oldest of earlier windows are folded."""

_METADATA = MetaData()
_CHARGES = Table(
    "member_charges",
    _METADATA,
    Column("number", Integer, primary_key=True),
    Column("round_name", Text, nullable=False, unique=True),
    Column("units", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("charge_time_s", Double, nullable=False),
)
_FOLDED = Table(
    "member_charges_folded",
    _METADATA,
    Column("only", Integer, primary_key=True),
    Column("units", Integer, nullable=False),
    Column("rounds", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most that one window may cost, in units; windows begin as `renewal` says."""

    units: int
    renewal: RenewalPolicy = RenewalPolicy.NONE
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the odometer shows; `limit_units` is None where it only counts."""

    window_units: int
    lifetime_units: int
    rounds: int
    limit_units: int | None
    renews_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    window_units: int
    lifetime_units: int
    rounds: int


class Odometer:
    """Counts one member's charges in its vault."""

    def __init__(
        self,
        database: Database,
        *,
        limit: Limit | None,
        clock: Clock,
        charges_max: int = CHARGES_MAX,
    ) -> None:
        self._database = database
        self._limit = limit
        self._clock = clock
        self._charges_max = charges_max

    async def charge(self, round_name: str, step: Step) -> None:
        """Count a round durably, before its contribution is stored; once per round.

        Raises:
            BudgetExhausted: the limit of this window would be passed; nothing was
                counted, and nothing may be contributed.
            FieldInvalid: a step that no ledger can hold.
        """
        units = step_units(step, ZCDP)
        event = step_text(step)

        def work(connection: Connection) -> Reading:
            if not self._known(connection, round_name):
                self._refuse_beyond(connection, units)
                connection.execute(
                    insert(_CHARGES).values(
                        round_name=round_name,
                        units=units,
                        event=event,
                        charge_time_s=self._clock.now_s(),
                    )
                )
                self._fold(connection)
            return self._reading(connection)

        _tell(await self._database.write("charge_round", work))

    async def refund(self, round_name: str) -> None:
        """Give a charge back, because its contribution was never stored, nor sent.

        A round that was not charged changes nothing.
        """

        def work(connection: Connection) -> Reading:
            connection.execute(
                delete(_CHARGES).where(_CHARGES.c.round_name == round_name)
            )
            return self._reading(connection)

        _tell(await self._database.write("refund_round", work))

    async def reading(self) -> Reading:
        """Return what was counted, and tell it to Prometheus."""
        found = await self._database.look("odometer", self._reading)
        _tell(found)
        return found

    def _reading(self, connection: Connection) -> Reading:
        totals = self._totals(connection)
        return Reading(
            window_units=totals.window_units,
            lifetime_units=totals.lifetime_units,
            rounds=totals.rounds,
            limit_units=self._limit.units if self._limit else None,
            renews_s=self._renews_s(),
        )

    def _refuse_beyond(self, connection: Connection, units: int) -> None:
        """Refuse what passes the limit, or what the columns could not add up."""
        limit_units = self._limit.units if self._limit else UNITS_MAX
        totals = self._totals(connection)
        free_units = min(
            limit_units - totals.window_units, UNITS_MAX - totals.lifetime_units
        )
        if units <= free_units:
            return
        renews_s = self._renews_s()
        renews = "never" if renews_s is None else rfc3339(renews_s)
        raise BudgetExhausted(
            "This member's own budget for rounds does not cover this one; it renews: "
            f"{renews}.",
            metadata={
                "account": "member",
                "needed_units": str(units),
                "free_units": str(max(0, free_units)),
                "limit_units": str(limit_units),
                "renews": renews,
            },
        )

    def _window_start_s(self) -> float:
        """Return since when charges count against the limit; 0 for ever."""
        limit = self._limit
        if limit is None or limit.renewal is RenewalPolicy.NONE:
            return 0.0
        return window_start_s(limit.renewal, limit.zone, self._clock.now_s())

    def _renews_s(self) -> float | None:
        limit = self._limit
        if limit is None:
            return None
        return next_renewal_s(limit.renewal, limit.zone, self._clock.now_s())

    def _totals(self, connection: Connection) -> _Totals:
        start_s = self._window_start_s()
        units, rounds = _CHARGES.c.units, func.count()
        window = func.sum(units).filter(_CHARGES.c.charge_time_s >= start_s)
        summed = func.coalesce(window, 0), func.coalesce(func.sum(units), 0)
        kept = connection.execute(select(*summed, rounds).select_from(_CHARGES)).one()
        folded = connection.execute(select(_FOLDED.c.units, _FOLDED.c.rounds)).one()
        return _Totals(
            # Without a calendar the window is the lifetime, what was folded included.
            window_units=int(kept[0]) + (0 if start_s else int(folded.units)),
            lifetime_units=int(kept[1]) + int(folded.units),
            rounds=int(kept[2]) + int(folded.rounds),
        )

    def _known(self, connection: Connection, round_name: str) -> bool:
        found = select(_CHARGES.c.number).where(_CHARGES.c.round_name == round_name)
        return connection.scalar(found) is not None

    def _fold(self, connection: Connection) -> None:
        """Fold the oldest charges beyond the limit that this window does not need."""
        newest = connection.scalar(select(func.max(_CHARGES.c.number))) or 0
        start_s = self._window_start_s()
        old = _CHARGES.c.number <= newest - self._charges_max
        if start_s:
            old &= _CHARGES.c.charge_time_s < start_s
        units, rounds = connection.execute(
            select(func.coalesce(func.sum(_CHARGES.c.units), 0), func.count()).where(
                old
            )
        ).one()
        if rounds:
            connection.execute(
                update(_FOLDED).values(
                    units=_FOLDED.c.units + units, rounds=_FOLDED.c.rounds + rounds
                )
            )
            connection.execute(delete(_CHARGES).where(old))


def _tell(reading: Reading) -> None:
    metrics.tell_odometer(
        window_units=reading.window_units,
        lifetime_units=reading.lifetime_units,
        limit_units=reading.limit_units,
    )
