"""The books that an auditor keeps while reading the journal: accounts and open holds.

Decides how the facts of an entry are read, strictly, from its text. Refuses to judge
them (`audit_replay` does) and to use the ledger's own arithmetic. Memory grows with the
number of accounts and of open holds, not with the length of the journal.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

UNITS_MAX: Final = 2**63 - 1
_SECOND_US: Final = 1_000_000
_INSTANT_S_MAX: Final = 1e12
_decode = json.JSONDecoder().decode


class Unreadable(ValueError):
    """A fact is missing from an entry, or written in another form."""


@dataclass(slots=True)
class Proposal:
    """An early renewal that waits for a second person."""

    proposed_by: str
    reason: str
    expires_us: int


@dataclass(slots=True)
class AuditedAccount:
    """An account as the journal tells it so far; amounts in units."""

    limit: int
    cap: int
    order: float | None
    renewal: str
    zone: str
    in_batches: bool
    window_start_us: int
    spent: int = 0
    held: int = 0
    lifetime: int = 0
    is_closed: bool = False
    proposal: Proposal | None = None


@dataclass(slots=True)
class AuditedHold:
    """An open reservation: what each step costs each account, and the most steps.

    `steps_bound` is the most that can have been taken so far.
    """

    per_step: dict[str, int]
    steps_max: int
    steps_bound: int


@dataclass(slots=True)
class Books:
    """Everything that is known after the entries read so far."""

    accounts: dict[str, AuditedAccount] = field(default_factory=dict)
    holds: dict[str, AuditedHold] = field(default_factory=dict)


class Facts:
    """The detail of an entry, whose every reading checks the form."""

    def __init__(self, detail: str) -> None:
        try:
            document = _decode(detail)
        except (ValueError, RecursionError) as error:
            raise Unreadable("detail") from error
        if not isinstance(document, dict):
            raise Unreadable("detail")
        self._document: Mapping[str, object] = document

    def __contains__(self, name: str) -> bool:
        return self._document.get(name) is not None

    def raw(self, name: str) -> object:
        """Return a fact in whatever form; raise Unreadable where it is missing."""
        try:
            return self._document[name]
        except KeyError:
            raise Unreadable(name) from None

    def text(self, name: str) -> str:
        """Return a fact that is text."""
        value = self.raw(name)
        if not isinstance(value, str):
            raise Unreadable(name)
        return value

    def units(self, name: str) -> int:
        """Return an amount, or a number of steps: 0 or more."""
        return checked_units(self.raw(name), name)

    def instant_us(self, name: str) -> int:
        """Return an instant, told in seconds, in whole microseconds."""
        value = self.raw(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Unreadable(name)
        if not 0 <= value <= _INSTANT_S_MAX:
            raise Unreadable(name)
        return round(value * _SECOND_US)

    def order(self, name: str) -> float | None:
        """Return a Renyi order, None for zCDP or where nothing is told."""
        if name not in self:
            return None
        value = self.raw(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Unreadable(name)
        if not (math.isfinite(value) and value > 1):
            raise Unreadable(name)
        return float(value)

    def units_by_account(self, name: str) -> dict[str, int]:
        """Return amounts by account."""
        value = self.raw(name)
        if not isinstance(value, dict):
            raise Unreadable(name)
        return {account: checked_units(units, name) for account, units in value.items()}

    def steps(self, name: str) -> int:
        """Return a number of steps; entries of revision 1 called them tokens."""
        return self.units(name if name in self else name.replace("steps", "tokens"))

    def has_batches(self) -> bool:
        """Return whether the blocks of the account are batches of new data."""
        if "blocks" not in self:
            return False
        blocks = self.raw("blocks")
        if not isinstance(blocks, dict):
            raise Unreadable("blocks")
        return blocks.get("scheme") == "batch"


def checked_units(value: object, name: str) -> int:
    """Return an amount of units that a ledger can hold."""
    if type(value) is not int or not 0 <= value <= UNITS_MAX:
        raise Unreadable(name)
    return value
