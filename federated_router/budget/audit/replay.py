"""The journal read as an independent auditor reads it.

Decides for each entry whether the accounts allowed it, with arithmetic of its own on
`audit_books`, and writes down what did not. Refuses to know the chain and signatures.
An entry that breaks a rule is still entered into the books, so that what follows from
it is judged by what was really booked.
"""

from collections.abc import Callable
from typing import Final

from federated_router.budget.audit.books import (
    UNITS_MAX,
    AuditedAccount,
    AuditedHold,
    Books,
    Facts,
    Unreadable,
)
from federated_router.budget.audit.cost import (
    cost_fault,
    derived_units,
    event_text,
)
from federated_router.budget.audit.findings import Fault, Findings, shown
from federated_router.budget.audit.format import ExportedEntry
from federated_router.budget.audit.windows import WindowCheck, window_begins
from federated_router.budget.reservation import ReleaseCause

_CAUSES: Final = frozenset(cause.value for cause in ReleaseCause)


class Replay:
    """Books every entry of a whole chain, in order."""

    def __init__(self, findings: Findings) -> None:
        self.books = Books()
        self.entries = 0
        self.reservations = 0
        self.restored: list[int] = []
        self.steps_back = 0
        self.largest_step_back_us = 0
        self._last_us = 0
        self._findings = findings
        self._windows = WindowCheck(self.books, findings)
        self._readers: dict[str, Callable[[ExportedEntry, Facts], None]] = {
            "account_created": self._created,
            "account_renewed": self._windows.renewed,
            "account_closed": self._closed,
            "renewal_proposed": self._windows.proposed,
            "reserved": self._reserved,
            "bounded": self._bounded,
            "committed": self._committed,
            "released": self._released,
            "expired": self._expired,
            "ledger_restored": self._ledger_restored,
        }

    def entry(self, entry: ExportedEntry) -> None:
        """Book the next entry."""
        self.entries += 1
        self._tell_time(entry.time_us)
        reader = self._readers.get(entry.kind)
        if reader is None:
            self._say(Fault.ENTRY_UNREADABLE, entry, "is of a kind not known here.")
            return
        try:
            reader(entry, Facts(entry.detail))
        except Unreadable as error:
            what = f"does not tell {shown(error)} as its kind must."
            self._say(Fault.ENTRY_UNREADABLE, entry, what)
        self._windows.seen(entry)

    def _created(self, entry: ExportedEntry, facts: Facts) -> None:
        name = _needed(entry.account, "account")
        if name in self.books.accounts:
            what = f"opens {shown(name)} a second time."
            self._say(Fault.ACCOUNT_WRONG, entry, what)
            return
        has_cap = "lifetime_cap_units" in facts
        account = AuditedAccount(
            limit=facts.units("limit_units"),
            cap=facts.units("lifetime_cap_units") if has_cap else UNITS_MAX,
            order=facts.order("order"),
            renewal=facts.text("renewal"),
            zone=facts.text("zone"),
            in_batches=facts.has_batches(),
            window_start_us=facts.instant_us("window_start_s"),
        )
        self.books.accounts[name] = account
        if not window_begins(account, account.window_start_us, entry.time_us):
            what = f"begins the first window of {shown(name)} at a wrong time."
            self._say(Fault.RENEWAL_WRONG, entry, what)

    def _closed(self, entry: ExportedEntry, facts: Facts) -> None:
        account = self._account(entry, entry.account)
        facts.text("closed_by")
        if account is None:
            return
        if account.is_closed:
            self._say(Fault.ACCOUNT_WRONG, entry, "closes an account again.")
        account.is_closed = True

    def _reserved(self, entry: ExportedEntry, facts: Facts) -> None:
        request_id = _needed(entry.request_id, "request_id")
        steps_max = facts.steps("steps_max")
        held = facts.units_by_account("held_units")
        event = event_text(facts.raw("event"))
        self.reservations += 1
        if request_id in self.books.holds:
            what = f"reserves for request {shown(request_id)}, which holds already."
            self._say(Fault.RESERVATION_WRONG, entry, what)
            return
        steps_bound = (
            facts.steps("steps_bound") if "steps_bound" in facts else steps_max
        )
        if not held or steps_max < 1:
            self._say(Fault.RESERVATION_WRONG, entry, "holds nothing on any account.")
            return
        if not 1 <= steps_bound <= steps_max:
            what = f"allows {steps_bound:,} steps of {steps_max:,} that it holds."
            self._say(Fault.RESERVATION_WRONG, entry, what)
        for name, units in held.items():
            self._hold(entry, name, units)
            self._check_cost(entry, name, units, steps_max, event)
        per_step = {name: units // steps_max for name, units in held.items()}
        self.books.holds[request_id] = AuditedHold(per_step, steps_max, steps_bound)

    def _bounded(self, entry: ExportedEntry, facts: Facts) -> None:
        request_id = _needed(entry.request_id, "request_id")
        steps_bound = facts.steps("steps_bound")
        hold = self.books.holds.get(request_id)
        if hold is None:
            what = f"allows request {shown(request_id)} more, which holds nothing."
            self._say(Fault.RESERVATION_WRONG, entry, what)
            return
        if not hold.steps_bound < steps_bound <= hold.steps_max:
            what = (
                f"allows {steps_bound:,} steps after {hold.steps_bound:,}, of a hold "
                f"for {hold.steps_max:,}."
            )
            self._say(Fault.RESERVATION_WRONG, entry, what)
        hold.steps_bound = steps_bound

    def _hold(self, entry: ExportedEntry, name: str, units: int) -> None:
        account = self._account(entry, name)
        if account is None:
            return
        if account.is_closed:
            what = f"charges {shown(name)}, which was closed."
            self._say(Fault.ACCOUNT_WRONG, entry, what)
        account.held += units
        if account.spent + account.held > account.limit:
            self._say(
                Fault.OVER_LIMIT,
                entry,
                f"holds {units:,} units more on {shown(name)} than its limit allows: "
                f"{account.spent:,} spent and {account.held:,} held of "
                f"{account.limit:,}.",
            )
        if account.lifetime + account.held > account.cap:
            self._say(
                Fault.OVER_LIMIT,
                entry,
                f"holds {units:,} units on {shown(name)}, beyond its lifetime cap of "
                f"{account.cap:,}: {account.lifetime:,} spent for ever.",
            )

    def _check_cost(
        self, entry: ExportedEntry, name: str, units: int, steps_max: int, event: str
    ) -> None:
        account = self.books.accounts.get(name)
        if account is None:
            return
        derived = derived_units(event, account.order)
        what = cost_fault(derived, units=units, steps_max=steps_max, account=name)
        if what:
            self._say(Fault.COST_WRONG, entry, what)

    def _committed(self, entry: ExportedEntry, facts: Facts) -> None:
        steps = facts.steps("steps")
        hold = self._settle(entry, facts, steps)
        if hold is not None and not 1 <= steps <= hold.steps_bound:
            what = f"commits {steps:,} steps of a hold for 1 to {hold.steps_bound:,}."
            self._say(Fault.CHARGE_WRONG, entry, what)

    def _released(self, entry: ExportedEntry, facts: Facts) -> None:
        cause = facts.text("cause")
        if cause not in _CAUSES:
            what = f"refunds for the cause {shown(cause)}, which allows no refund."
            self._say(Fault.CHARGE_WRONG, entry, what)
        if self._settle(entry, facts, 0) is not None and facts.steps("steps") != 0:
            self._say(Fault.CHARGE_WRONG, entry, "refunds and charges at once.")

    def _expired(self, entry: ExportedEntry, facts: Facts) -> None:
        steps = facts.steps("steps")
        hold = self._settle(entry, facts, steps)
        if hold is not None and steps != hold.steps_bound:
            what = (
                f"charges {steps:,} steps of an expired hold that allowed "
                f"{hold.steps_bound:,}."
            )
            self._say(Fault.CHARGE_WRONG, entry, what)

    def _settle(
        self, entry: ExportedEntry, facts: Facts, steps: int
    ) -> AuditedHold | None:
        """End the hold and book what the entry charges; return the hold."""
        request_id = _needed(entry.request_id, "request_id")
        charged = facts.units_by_account("charged_units")
        hold = self.books.holds.pop(request_id, None)
        if hold is None:
            what = (
                f"settles request {shown(request_id)}, which holds nothing: it was "
                "settled before, or never reserved."
            )
            self._say(Fault.RESERVATION_WRONG, entry, what)
            return None
        if charged != {name: each * steps for name, each in hold.per_step.items()}:
            what = f"charges otherwise than {steps:,} steps of what was reserved."
            self._say(Fault.CHARGE_WRONG, entry, what)
        for name, each in hold.per_step.items():
            account = self.books.accounts.get(name)
            if account is not None:
                account.held -= each * hold.steps_max
                account.spent += charged.get(name, 0)
                account.lifetime += charged.get(name, 0)
        return hold

    def _ledger_restored(self, entry: ExportedEntry, facts: Facts) -> None:
        facts.text("restored_by")
        self.restored.append(entry.sequence)

    def _account(self, entry: ExportedEntry, name: str | None) -> AuditedAccount | None:
        account = self.books.accounts.get(_needed(name, "account"))
        if account is None:
            what = f"concerns {shown(name)}, which was never opened."
            self._say(Fault.ACCOUNT_WRONG, entry, what)
        return account

    def _tell_time(self, time_us: int) -> None:
        back_us = self._last_us - time_us
        if back_us > 0:
            self.steps_back += 1
            self.largest_step_back_us = max(self.largest_step_back_us, back_us)
        self._last_us = time_us

    def _say(self, fault: Fault, entry: ExportedEntry, what: str) -> None:
        self._findings.add(fault, entry.sequence, f"Entry {entry.sequence} {what}")


def _needed(name: str | None, field: str) -> str:
    if name is None:
        raise Unreadable(field)
    return name
