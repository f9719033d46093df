"""What a verifier found wrong, each named by its place in the audit log.

Decides which kinds of findings there are and how many are kept; refuses to know how
they are found and shown. A log in which everything is wrong needs no list of all of it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FINDINGS_MAX: Final = 200
_SHOWN_MAX: Final = 120


class Fault(StrEnum):
    """The kinds of findings; programs decide by these, people read the text."""

    FILE_UNREADABLE = "file_unreadable"
    FILE_CUT = "file_cut"
    ENTRY_CHANGED = "entry_changed"
    ENTRY_MISSING = "entry_missing"
    ENTRY_REPEATED = "entry_repeated"
    ENTRY_OUT_OF_ORDER = "entry_out_of_order"
    CHECKPOINT_FORGED = "checkpoint_forged"
    CHECKPOINT_CONTRADICTED = "checkpoint_contradicted"
    CHECKPOINT_MISPLACED = "checkpoint_misplaced"
    KEPT_CHECKPOINT_FORGED = "kept_checkpoint_forged"
    KEPT_CHECKPOINT_CONTRADICTED = "kept_checkpoint_contradicted"
    KEPT_CHECKPOINT_NOT_REACHED = "kept_checkpoint_not_reached"
    NOTHING_SIGNED = "nothing_signed"
    ENTRY_UNREADABLE = "entry_unreadable"
    ACCOUNT_WRONG = "account_wrong"
    OVER_LIMIT = "over_limit"
    RESERVATION_WRONG = "reservation_wrong"
    CHARGE_WRONG = "charge_wrong"
    COST_WRONG = "cost_wrong"
    RENEWAL_WRONG = "renewal_wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `sequence` is the entry, None where none is meant."""

    fault: Fault
    sequence: int | None
    text: str


class Findings:
    """The findings of one verification, in the order in which they were made."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.count = 0

    def add(self, fault: Fault, sequence: int | None, text: str) -> None:
        """Count a finding, and keep it among the first."""
        self.count += 1
        if len(self.kept) < FINDINGS_MAX:
            self.kept.append(Finding(fault, sequence, text))


def shown(text: object) -> str:
    """Return what stood in the file so that no terminal acts on it."""
    return json.dumps(str(text)[:_SHOWN_MAX])[1:-1]
