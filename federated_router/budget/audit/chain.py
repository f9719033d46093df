"""Whether an exported audit log is one unbroken chain, signed by the given keys.

Decides what is missing, changed, moved or forged, and names the place. Refuses to know
what entries mean. The hash is computed here from docs/audit.md and not by the ledger's
own code, so that a defect there does not excuse itself.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from federated_router.budget.audit.findings import Fault, Findings
from federated_router.budget.audit.format import ExportedEntry
from federated_router.budget.checkpoint import Checkpoint, is_genuine

_GENESIS: Final = b"federated-router ledger 1\0"
_ENTRY: Final = b"federated-router entry 1\0"
# Text as a JSON string in ASCII: what json.dumps does, without making an encoder.
_quoted = json.encoder.encode_basestring_ascii


def hash_after(before: bytes, entry: ExportedEntry) -> bytes:
    """Return the hash that an entry must have behind the hash `before`."""
    told = (
        f"[{entry.sequence},{entry.time_us},{_quoted(entry.kind)},"
        f"{_or_null(entry.account)},{_or_null(entry.request_id)},"
        f"{_quoted(entry.detail)}]"
    )
    return hashlib.sha256(_ENTRY + before + told.encode()).digest()


class ChainCheck:
    """Follows the chain of one ledger, entry by entry and checkpoint by checkpoint.

    Behind a fault the chain goes on from what the file says, so that each fault is
    named once; `is_whole` stays False then. `kept` are checkpoints that the verifier
    received earlier and kept.
    """

    def __init__(
        self,
        ledger_id: bytes,
        *,
        public_keys: Collection[bytes],
        kept: Iterable[Checkpoint],
        findings: Findings,
    ) -> None:
        self._ledger_id = ledger_id
        self._public_keys = frozenset(public_keys)
        self._findings = findings
        # The hashes that the next entry may follow: what the last one claims, and,
        # where that was wrong, what it should claim.
        self._before: tuple[bytes, ...] = (
            hashlib.sha256(_GENESIS + ledger_id).digest(),
        )
        self._kept: dict[int, list[Checkpoint]] = defaultdict(list)
        self.is_whole = True
        self.sequence = 0
        self.entries = 0
        self.checkpoints = 0
        self.signed_through = 0
        self.signed_time_us: int | None = None
        for checkpoint in kept:
            self._expect(checkpoint)

    def entry(self, entry: ExportedEntry) -> bool:
        """Take the next entry; return whether the chain is whole up to it."""
        self.entries += 1
        if entry.sequence <= self.sequence:
            self._say_out_of_place(entry)
            return False
        if entry.sequence > self.sequence + 1:
            self._say_missing(entry)
            self._before = (entry.hash,)
        elif not self._follows(entry):
            self._say_changed(entry)
            self._before = (entry.hash, hash_after(self._before[0], entry))
        else:
            self._before = (entry.hash,)
        self.sequence = entry.sequence
        self._compare_kept(entry)
        return self.is_whole

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Take the next checkpoint of the file."""
        self.checkpoints += 1
        place = checkpoint.head.sequence
        problem = self._problem(checkpoint)
        if problem:
            self._fault(
                Fault.CHECKPOINT_FORGED,
                place,
                f"The checkpoint of entry {place} {problem}",
            )
        elif place != self.sequence:
            self._fault(
                Fault.CHECKPOINT_MISPLACED,
                place,
                f"Entry {place} was signed, but its checkpoint stands behind entry "
                f"{self.sequence}: {_what_happened(place, self.sequence)}.",
            )
        elif checkpoint.head.hash not in self._before:
            self._fault(
                Fault.CHECKPOINT_CONTRADICTED,
                place,
                f"The checkpoint signs another hash of entry {place} than the chain "
                f"has: between entry {self.signed_through + 1} and this place "
                "something was changed, removed or put in, and the hashes behind it "
                "were made anew.",
            )
        else:
            self.signed_through = place
            self.signed_time_us = checkpoint.time_us

    def finish(self) -> None:
        """Say what the end of the log leaves open."""
        for place in sorted(self._kept):
            self._fault(
                Fault.KEPT_CHECKPOINT_NOT_REACHED,
                place,
                f"Entry {place} was signed in a checkpoint that you kept, and is not "
                f"in this file, which ends at entry {self.sequence}: entries were cut "
                "off, or the ledger was restored from an older backup.",
            )
        if self.entries and not self.signed_through:
            self._fault(
                Fault.NOTHING_SIGNED,
                None,
                "No entry of this file is covered by a valid checkpoint of the given "
                "key, so nothing in it is proven.",
            )

    def _follows(self, entry: ExportedEntry) -> bool:
        return any(entry.hash == hash_after(one, entry) for one in self._before)

    def _problem(self, checkpoint: Checkpoint) -> str:
        if checkpoint.public_key not in self._public_keys:
            return "was signed with another key than the given one."
        if checkpoint.head.ledger_id != self._ledger_id:
            return "belongs to another ledger."
        return "" if is_genuine(checkpoint) else "has a signature that does not hold."

    def _expect(self, checkpoint: Checkpoint) -> None:
        problem = self._problem(checkpoint)
        place = checkpoint.head.sequence
        if problem:
            self._fault(
                Fault.KEPT_CHECKPOINT_FORGED,
                place,
                f"The checkpoint of entry {place} that you kept {problem}",
            )
            return
        self._kept[place].append(checkpoint)

    def _compare_kept(self, entry: ExportedEntry) -> None:
        for checkpoint in self._kept.pop(entry.sequence, ()):
            if checkpoint.head.hash not in self._before:
                self._fault(
                    Fault.KEPT_CHECKPOINT_CONTRADICTED,
                    entry.sequence,
                    f"The checkpoint of entry {entry.sequence} that you kept signs "
                    "another history: entries up to there were rewritten, or the "
                    "ledger was restored from an older backup and went on otherwise.",
                )

    def _say_out_of_place(self, entry: ExportedEntry) -> None:
        place = entry.sequence
        if place == self.sequence:
            fault, text = Fault.ENTRY_REPEATED, f"Entry {place} stands here twice."
        else:
            fault = Fault.ENTRY_OUT_OF_ORDER
            text = f"Entry {place} stands behind entry {self.sequence}, out of order."
        self._break(fault, place, text)

    def _say_missing(self, entry: ExportedEntry) -> None:
        first, last = self.sequence + 1, entry.sequence - 1
        what = (
            f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
        )
        self._break(
            Fault.ENTRY_MISSING,
            first,
            f"{what} missing: behind entry {self.sequence} stands entry "
            f"{entry.sequence}.",
        )

    def _say_changed(self, entry: ExportedEntry) -> None:
        place = entry.sequence
        before = f"entry {place - 1}" if place > 1 else "the identity of this ledger"
        self._break(
            Fault.ENTRY_CHANGED,
            place,
            f"The hash of entry {place} does not follow from {before} and from what "
            f"entry {place} says: it was changed or put in, or {before} was and its "
            "hash was made anew.",
        )

    def _break(self, fault: Fault, sequence: int, text: str) -> None:
        self.is_whole = False
        self._fault(fault, sequence, text)

    def _fault(self, fault: Fault, sequence: int | None, text: str) -> None:
        self._findings.add(fault, sequence, text)


def _or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def _what_happened(place: int, stands_behind: int) -> str:
    if place > stands_behind:
        return "entries between them were cut off, or the checkpoint was moved"
    return "the checkpoint was moved"
