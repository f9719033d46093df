"""A coordinator's conductor over a round store and a ledger that outlive it.

The conductor can be killed before or after any write to either store: the write is then
done or not, nobody hears of it, and another conductor takes up what the stores hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar, cast

from coordinator.app import MIGRATIONS
from coordinator.charging.holds import LedgerCharges
from coordinator.charging.price import price_of
from coordinator.newest import Newest, WatchLimits
from coordinator.priors.store import PriorsStore
from coordinator.rounds import events
from coordinator.rounds.conductor import Conductor
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.schedule import Schedule
from coordinator.rounds.state import State
from coordinator.rounds.store import Request, RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.upload import Body
from coordinator.rounds.work import Workshop
from coordinator.validation.inspection import Inspector
from federated_router.budget.accounts import Account, AccountName, AccountTerms
from federated_router.budget.calls import NOTHING, Touches
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Reservation
from federated_router.budget.rows import LedgerRows
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.database import Database
from federated_router.priors.publication import Priors
from federated_router.privacy.measure import ZCDP
from federated_router.privacy.renewal import RenewalPolicy
from tests.support import round_script as script
from tests.support.fuse import Fuse

T = TypeVar("T")
ACCOUNT = AccountName("accounts/federation-rounds")
LIMITS = WatchLimits(watchers_max=10, progress_s=1.0, sign_of_life_s=15.0)
LEASE_MARGIN_S = 600.0
TIMEOUT_S = 60.0
"""More than a busy machine keeps one small transaction waiting."""
COST = price_of(script.round_in(State.COLLECTING), ZCDP).units
"""What a round of four costs, all of whom reveal."""


class FusedLedger(MemoryLedgerStore):
    """A ledger in memory whose writes pass the fuse."""

    def __init__(self, clock: ManualClock, fuse: Fuse) -> None:
        super().__init__(clock=clock)
        self.fuse = fuse

    async def _write(
        self, name: str, work: Callable[[LedgerRows], T], touches: Touches = NOTHING
    ) -> T:
        write = super()._write
        return await self.fuse.through(lambda: write(name, work, touches))

    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        return await super()._write(name, work)


class FusedSqlLedger(SqlLedgerStore):
    """A ledger on disk whose writes pass the fuse."""

    fuse: Fuse

    async def _write(
        self, name: str, work: Callable[[LedgerRows], T], touches: Touches = NOTHING
    ) -> T:
        write = super()._write
        return await self.fuse.through(lambda: write(name, work, touches))


class FusedRounds(RoundStore):
    """A round store whose writes pass the fuse."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        super().__init__(database)
        self.fuse = fuse

    async def create(self, round_: Round, request: Request) -> Round:
        """Create, unless the coordinator dies."""
        write = super().create
        return await self.fuse.through(lambda: write(round_, request))

    async def save(self, before: Round, after: Round, **kinds: object) -> Round:
        """Save, unless the coordinator dies."""
        write = super().save
        return await self.fuse.through(lambda: write(before, after, **kinds))  # type: ignore[arg-type]


@dataclass
class ChargingWorld:
    """One federation's stores, and the conductor that lives now."""

    database: Database
    terms: Terms = script.TERMS
    interval_s: float = 0.0
    clock: ManualClock = field(default_factory=lambda: ManualClock(script.START_S))
    fuse: Fuse = field(default_factory=Fuse)
    opened: int = 0
    prefix: str = "r"
    lives: int = 0
    charging: type[LedgerCharges] = LedgerCharges

    def __post_init__(self) -> None:
        """Make the stores, which outlive every conductor."""
        self.ledger: LedgerStore = FusedLedger(self.clock, self.fuse)
        self.rounds = FusedRounds(self.database, self.fuse)

    @classmethod
    async def open(cls, directory: Path, *, interval_s: float = 0.0) -> Self:
        """Return a world on a file of its own, without account and conductor."""
        url = f"sqlite+aiosqlite:///{directory}/rounds.sqlite"
        database = await Database.open(url, migrations=MIGRATIONS, timeout_s=TIMEOUT_S)
        return cls(database, interval_s=interval_s)

    async def keep_ledger_in(self, directory: Path) -> None:
        """Use a ledger on disk instead of the one in memory."""
        ledger = await FusedSqlLedger.open(
            f"sqlite+aiosqlite:///{directory}/ledger.sqlite",
            clock=self.clock,
            timeout_s=TIMEOUT_S,
        )
        ledger.fuse = self.fuse
        self.ledger = ledger

    async def grant(
        self, limit_units: int, renewal: RenewalPolicy = RenewalPolicy.NONE
    ) -> None:
        """Open the account."""
        await self.ledger.create_account(
            AccountTerms(
                name=ACCOUNT, limit_units=limit_units, delta=1e-6, renewal=renewal
            )
        )

    async def live(self) -> None:
        """Start a conductor, whatever became of the one before."""
        self.lives += 1
        self.charges = self.charging(
            ledger=self.ledger,
            account=ACCOUNT,
            lease_margin_s=LEASE_MARGIN_S,
            find=self.rounds.load,
            clock=self.clock,
        )
        self.conductor = Conductor(
            store=self.rounds,
            priors_store=PriorsStore(self.database),
            workshop=Workshop(store=self.rounds, inspector=cast("Inspector", None)),
            clock=self.clock,
            schedule=Schedule(self.interval_s, self.terms, retry_after_s=10.0),
            charges=self.charges,
            rounds=Newest[Round](LIMITS, self.clock),
            priors=Newest[Priors](LIMITS, self.clock),
            draw_name=self._draw_name,
        )
        await self.conductor.resume()

    async def create(self) -> Round:
        """Open a round on demand."""
        return await self.conductor.create(self.terms, Request(None, b""))

    async def tell(self, name: RoundName, event: events.Event) -> Round:
        """Tell the conductor something; a body goes with a contribution."""
        body = None
        if isinstance(event, events.Contributed):
            body = Body(event.member, b"body")
        return await self.conductor.tell(name, event, body=body)

    async def play(self, until: State) -> Round:
        """Open a round and bring it to a state, or as far as it gets."""
        round_ = await self.create()
        for reached, steps in script.STEPS.items():
            for event in steps:
                if until in (reached, round_.state) or round_.ended:
                    return round_
                round_ = await self.tell(round_.name, renamed(event, round_.name))
        return round_

    async def newest(self) -> Round:
        """Return the newest round as the conductor that lives holds it."""
        found = self.conductor._keeper.held or await self.rounds.newest()
        assert found is not None
        return found

    async def account(self) -> Account:
        """Return the balance."""
        return await self.ledger.get_account(ACCOUNT)

    async def holds(self) -> tuple[Reservation, ...]:
        """Return every reservation, newest first."""
        page = await self.ledger.list_reservations(ACCOUNT, page_size=1000)
        return page.reservations

    def _draw_name(self) -> RoundName:
        self.opened += 1
        return RoundName(f"rounds/{self.prefix}{self.opened}")


def renamed(event: events.Event, name: RoundName) -> events.Event:
    """Return a scripted event as it would be in the round of that name.

    Commitments are bound to the round.
    """
    if isinstance(event, events.Joined):
        index = int(event.member.rpartition("-")[2])
        return script.joined(index, name=name)
    return event
