"""The ledger by the simplest means: what a random history must come to."""

from dataclasses import dataclass, field

from federated_router.budget.accounts import AccountName, BlockScheme, BlockTerms
from federated_router.budget.blocks import block_name
from federated_router.budget.reservation import ReservationState
from federated_router.privacy.renewal import RenewalPolicy
from tests.support.ledger_world import terms

DAY_S = 86_400
FOREVER = AccountName("accounts/dataset-forever")
DAILY = AccountName("accounts/dataset-daily")
CAPPED = AccountName("accounts/user-capped")
BLOCK = block_name(FOREVER, "record-1")
CAP = 300
LIMITS = {FOREVER: 400, DAILY: 150, CAPPED: 120, BLOCK: 90}
TERMS = (
    terms(
        FOREVER,
        limit_units=LIMITS[FOREVER],
        blocks=BlockTerms(scheme=BlockScheme.RECORD, limit_units=LIMITS[BLOCK]),
    ),
    terms(DAILY, limit_units=LIMITS[DAILY], renewal=RenewalPolicy.DAILY),
    terms(
        CAPPED,
        limit_units=LIMITS[CAPPED],
        renewal=RenewalPolicy.DAILY,
        lifetime_cap_units=CAP,
    ),
)
RENEWED_DAILY = {DAILY, CAPPED}


@dataclass
class ModelAccount:
    """A balance."""

    day: int
    spent: int = 0
    lifetime: int = 0
    closed: bool = False
    held: dict[str, int] = field(default_factory=dict)


@dataclass
class ModelRequest:
    """A request, and where it stands."""

    owner: str
    units: dict[AccountName, int]
    steps: int
    bound: int
    lease_s: float
    state: ReservationState = ReservationState.RESERVED

    @property
    def is_held(self) -> bool:
        """Whether it has not ended."""
        return self.state is ReservationState.RESERVED


class LedgerModel:
    """Accounts and requests on a calendar of whole days."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self.requests: dict[str, ModelRequest] = {}
        self.accounts = {one.name: ModelAccount(self.day) for one in TERMS}

    @property
    def day(self) -> int:
        """The day of the calendar."""
        return int(self.now_s) // DAY_S

    def account(self, name: AccountName) -> ModelAccount:
        """Return an account; a block that is not there is as if new."""
        return self.accounts.get(name) or ModelAccount(self.day)

    def spent(self, name: AccountName) -> int:
        """Return what the window that holds the present has spent."""
        account = self.account(name)
        over = name in RENEWED_DAILY and self.day > account.day
        return 0 if over else account.spent

    def free(self, name: AccountName) -> int:
        """Return what is left of the window, and of the lifetime."""
        account = self.account(name)
        held = sum(account.held.values())
        window = LIMITS[name] - self.spent(name) - held
        return min(window, CAP - account.lifetime - held) if name == CAPPED else window

    def admits(self, units: dict[AccountName, int], steps_max: int) -> bool:
        """Return whether every account is open and has that much left."""
        return all(
            not self.account(name).closed and cost * steps_max <= self.free(name)
            for name, cost in units.items()
        )

    def reserve(self, request_id: str, asked: ModelRequest) -> None:
        """Hold what a request may cost."""
        self.requests[request_id] = asked
        for name, cost in asked.units.items():
            self.accounts.setdefault(name, ModelAccount(self.day))
            self.renew(name).held[request_id] = cost * asked.steps

    def settle(self, request_id: str, steps: int, state: ReservationState) -> None:
        """End a hold."""
        request = self.requests[request_id]
        for name, units in request.units.items():
            account = self.renew(name)
            del account.held[request_id]
            account.spent += units * steps
            account.lifetime += units * steps
        request.state, request.steps = state, steps

    def renew(self, name: AccountName) -> ModelAccount:
        """Begin the window that is due, as the first change in it does."""
        account = self.accounts[name]
        account.spent = self.spent(name)
        account.day = max(account.day, self.day)
        return account

    def renew_early(self, name: AccountName) -> None:
        """Begin a window now, whatever the calendar says."""
        account = self.accounts[name]
        account.spent, account.day = 0, self.day

    def due(self) -> set[str]:
        """Return the holds whose lease is over."""
        return {
            request_id
            for request_id, one in self.requests.items()
            if one.is_held and one.lease_s <= self.now_s
        }

    def held(self) -> set[str]:
        """Return all holds."""
        return {request_id for request_id, one in self.requests.items() if one.is_held}
