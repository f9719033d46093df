"""Whether every new window of a budget was allowed: by calendar, two people, or data.

Decides what makes a renewal rightful; refuses to know holds and charges. A renewal
forgives what was spent in the window before, so it is the first place where somebody
who wants more than the limit would look.
"""

from federated_router.budget.audit.books import (
    AuditedAccount,
    Books,
    Facts,
    Proposal,
    Unreadable,
)
from federated_router.budget.audit.calendar import begins_window, has_calendar
from federated_router.budget.audit.findings import Fault, Findings, shown
from federated_router.budget.audit.format import ExportedEntry


def window_begins(account: AuditedAccount, start_us: int, now_us: int) -> bool:
    """Return whether a window of the account may begin at `start_us`, told at `now_us`.

    Without a calendar a window begins in the instant in which it is told.
    """
    try:
        if not has_calendar(account.renewal):
            return start_us == now_us
        return begins_window(
            account.renewal, account.zone, start_us=start_us, now_us=now_us
        )
    except ValueError:
        return False


class WindowCheck:
    """Follows proposals and renewals."""

    def __init__(self, books: Books, findings: Findings) -> None:
        self._books = books
        self._findings = findings
        self._just_opened: str | None = None

    def seen(self, entry: ExportedEntry) -> None:
        """Remember the entry as the one before the next."""
        opened = entry.kind == "account_created"
        self._just_opened = entry.account if opened else None

    def proposed(self, entry: ExportedEntry, facts: Facts) -> None:
        """Book a proposal; it replaces the account's earlier one."""
        proposal = Proposal(
            proposed_by=facts.text("proposed_by"),
            reason=facts.text("reason"),
            expires_us=facts.instant_us("expires_time_s"),
        )
        account = self._account(entry)
        if account is not None:
            account.proposal = proposal

    def renewed(self, entry: ExportedEntry, facts: Facts) -> None:
        """Book a new window."""
        account = self._account(entry)
        if account is None:
            return
        start_us = facts.instant_us("window_start_s")
        spent = facts.units("spent_units")
        if spent != account.spent:
            self._say(
                entry,
                f"says that {spent:,} units were spent in the old window; it was "
                f"{account.spent:,}.",
            )
        wrong = self._wrong(entry, facts, account, start_us)
        if wrong:
            self._say(entry, wrong)
        account.spent = 0
        account.window_start_us = start_us

    def _wrong(
        self, entry: ExportedEntry, facts: Facts, account: AuditedAccount, start_us: int
    ) -> str:
        # Revision 1 of the ledger knew calendars only, and did not say so.
        cause = facts.text("cause") if "cause" in facts else "calendar"
        if cause == "calendar":
            return _wrong_by_calendar(entry, account, start_us)
        if account.is_closed:
            return "renews an account that was closed."
        if start_us != entry.time_us:
            return "begins a window early, but not when it says so."
        if cause == "early":
            return _wrong_by_people(entry, facts, account)
        if cause == "new_data":
            return self._wrong_by_data(facts, account)
        return f"renews for the cause {shown(cause)}, which is none."

    def _wrong_by_data(self, facts: Facts, account: AuditedAccount) -> str:
        if account.renewal != "on_new_data" or not account.in_batches:
            return "renews on new data an account that does not."
        if facts.text("block") != self._just_opened:
            return "renews on new data, but no new block was opened right before."
        return ""

    def _account(self, entry: ExportedEntry) -> AuditedAccount | None:
        if entry.account is None:
            raise Unreadable("account")
        account = self._books.accounts.get(entry.account)
        if account is None:
            self._say(entry, f"concerns {shown(entry.account)}, never opened.")
        return account

    def _say(self, entry: ExportedEntry, what: str) -> None:
        text = f"Entry {entry.sequence} {what}"
        self._findings.add(Fault.RENEWAL_WRONG, entry.sequence, text)


def _wrong_by_calendar(
    entry: ExportedEntry, account: AuditedAccount, start_us: int
) -> str:
    name = shown(entry.account)
    try:
        by_calendar = has_calendar(account.renewal)
    except ValueError:
        by_calendar = False
    if not by_calendar:
        return f"renews {name} by a calendar that it does not have."
    if start_us <= account.window_start_us:
        return f"renews {name} into a window that had begun already."
    if not window_begins(account, start_us, entry.time_us):
        return (
            f"renews {name} at a time at which its calendar ({shown(account.renewal)}, "
            f"{shown(account.zone)}) begins no window."
        )
    return ""


def _wrong_by_people(
    entry: ExportedEntry, facts: Facts, account: AuditedAccount
) -> str:
    proposal, account.proposal = account.proposal, None
    proposed_by = facts.text("proposed_by")
    if proposal is None:
        return "renews early, but nobody had proposed it."
    if (proposal.proposed_by, proposal.reason) != (proposed_by, facts.text("reason")):
        return "renews early, but otherwise than was proposed."
    if facts.text("approved_by") == proposed_by:
        return f"renews early; {shown(proposed_by)} proposed and approved it alone."
    if entry.time_us > proposal.expires_us:
        return "renews early on a proposal that had expired."
    return ""
