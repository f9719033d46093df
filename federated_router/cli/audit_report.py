"""What the command says of a verified export: sentences for people, JSON for programs.

Decides words and order; refuses to verify anything.
"""

from collections.abc import Sequence

from federated_router.budget.audit.calendar import rfc3339
from federated_router.budget.audit.verification import AuditReport
from federated_router.cli.screen import Json


def report_lines(report: AuditReport, *, kept: int) -> Sequence[str]:
    """Return a report as sentences for people."""
    ledger = report.ledger_id.hex() if report.ledger_id else "unknown"
    lines = [
        (
            f"Ledger {ledger}: {report.entries:,} entries, {report.checkpoints:,} "
            f"checkpoints in the file; {kept:,} kept checkpoints compared."
        ),
        _signed_line(report),
        (
            f"Balances of {len(report.accounts):,} accounts and "
            f"{report.reservations:,} reservations computed again over "
            f"{report.replayed:,} entries; {report.open_holds:,} reservations are "
            "still open."
        ),
    ]
    if report.unsigned:
        lines.append(
            f"Not yet signed: the last {report.unsigned:,} entries. They prove nothing "
            "until a checkpoint covers them."
        )
    lines += [f"Note: {note}" for note in report.notes]
    lines += [f"WRONG: {finding.text}" for finding in report.findings]
    beyond = report.findings_count - len(report.findings)
    if beyond:
        lines.append(f"WRONG: and {beyond:,} more.")
    return [*lines, _verdict(report)]


def report_json(report: AuditReport) -> Json:
    """Return a report for programs."""
    return {
        "good": report.is_good,
        "ledger_id": report.ledger_id.hex() if report.ledger_id else None,
        "entries": report.entries,
        "last_sequence": report.last_sequence,
        "checkpoints": report.checkpoints,
        "signed_through": report.signed_through,
        "signed_time_us": report.signed_time_us,
        "unsigned": report.unsigned,
        "replayed": report.replayed,
        "reservations": report.reservations,
        "open_holds": report.open_holds,
        "accounts": {
            name: {
                "limit_units": account.limit,
                "spent_units": account.spent,
                "held_units": account.held,
                "lifetime_units": account.lifetime,
                "closed": account.is_closed,
            }
            for name, account in sorted(report.accounts.items())
        },
        "findings": [
            {"fault": one.fault.value, "sequence": one.sequence, "text": one.text}
            for one in report.findings
        ],
        "findings_count": report.findings_count,
        "notes": list(report.notes),
    }


def _signed_line(report: AuditReport) -> str:
    if report.signed_time_us is None:
        return "No entry is covered by a checkpoint of the given key."
    when = rfc3339(report.signed_time_us)
    return f"Signed with a given key through entry {report.signed_through:,}, {when}."


def _verdict(report: AuditReport) -> str:
    if report.is_good:
        return "Nothing is wrong with what this file tells."
    count = report.findings_count
    return f"{count:,} {'thing is' if count == 1 else 'things are'} wrong."
