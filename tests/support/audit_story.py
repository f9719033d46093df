"""Words for tests that rewrite the story of `audit_world` against the rules."""

import json
from typing import Any

from federated_router.budget.audit.chain import hash_after
from federated_router.budget.audit.findings import Fault
from federated_router.budget.audit.format import ExportedEntry, read_line
from federated_router.budget.audit.verification import AuditReport
from federated_router.budget.chain import genesis
from federated_router.budget.checkpoint import CheckpointSigner
from tests.support.audit_world import check, made_anew

Told = list[dict[str, Any]]
HOUR_US = 3_600_000_000
# The entries of the story by what they are.
WARD, RENYI, BATCHED, USER, BLOCK, NEW_DATA = range(1, 7)
RESERVED, COMMITTED, RESERVED_TWO, RELEASED, RESERVED_THREE, EXPIRED = range(7, 13)
PROPOSED, EARLY, CALENDAR, RESERVED_FOUR, CLOSED, COMMITTED_FOUR, OPEN = range(13, 20)


def entry(told: Told, sequence: int) -> dict[str, Any]:
    """Return an entry of the story."""
    return next(
        one for one in told if one["record"] == "entry" and one["sequence"] == sequence
    )


def change(told: Told, sequence: int, **facts: object) -> None:
    """Replace facts of an entry; None in place of a whole fact removes it."""
    found = entry(told, sequence)
    detail = {**json.loads(found["detail"]), **facts}
    found["detail"] = json.dumps(detail, sort_keys=True, separators=(",", ":"))


def fact(told: Told, sequence: int, name: str) -> Any:  # noqa: ANN401 - JSON.
    """Return a fact of an entry."""
    return json.loads(entry(told, sequence)["detail"])[name]


def audited(told: Told, key: CheckpointSigner) -> AuditReport:
    """Verify the story as its key holder would write it now."""
    return check(made_anew(told, key), key.public_key)


def faults(report: AuditReport) -> list[tuple[Fault, int | None]]:
    """Return what was found, and where."""
    return [(one.fault, one.sequence) for one in report.findings]


def place_of(told: Told, sequence: int) -> int:
    """Return the line of an entry."""
    return next(
        number
        for number, one in enumerate(told)
        if one["record"] == "entry" and one["sequence"] == sequence
    )


def checkpoint_at(told: Told, sequence: int) -> dict[str, Any]:
    """Return the checkpoint of an entry."""
    return next(
        one
        for one in told
        if one["record"] == "checkpoint" and one["sequence"] == sequence
    )


def rehashed(told: Told) -> Told:
    """Return the log with the entries' hashes made anew under its own identity."""
    before = genesis(bytes.fromhex(told[0]["ledger_id"])).hash
    made: Told = []
    for one in told:
        if one["record"] == "entry":
            entry = read_line(json.dumps(one).encode())
            assert isinstance(entry, ExportedEntry)
            before = hash_after(before, entry)
            made.append({**one, "hash": before.hex()})
        else:
            made.append(one)
    return made
