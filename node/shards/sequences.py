"""The sequences that a shard holds: which slot each has, and what may come next.

Decides who gets a slot and which positions follow. Refuses to know hidden states,
threads and streams. Lives on the event loop: the model thread reads a sequence's slot
and whether it is closed, and changes nothing.
"""

from dataclasses import dataclass, field

from federated_router.kit.errors import FieldInvalid, LimitReached, PromptTooLong

RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class ShardLimits:
    """What a shard takes at once.

    `slots` sequences of at most `context_tokens_max` positions; `frame_tokens_max`
    positions in one frame; `sequence_frames_max` frames of a sequence that wait. One
    that has not been used for `sequence_idle_s` is ended.
    """

    slots: int
    context_tokens_max: int
    frame_tokens_max: int
    sequence_frames_max: int
    sequence_idle_s: float


@dataclass(slots=True, eq=False)
class HeldSequence:
    """One sequence: `held` positions came, `waiting` frames of them are unanswered."""

    slot: int
    tokens_max: int
    held: int = 0
    waiting: int = 0
    closed: bool = False
    used_s: float = 0.0


@dataclass(slots=True)
class Sequences:
    """All sequences of one shard."""

    limits: ShardLimits
    _free: list[int] = field(default_factory=list)
    _open: int = 0

    def __post_init__(self) -> None:
        """Begin with every slot free."""
        self._free = list(range(self.limits.slots))

    @property
    def open(self) -> int:
        """Return how many there are."""
        return self._open

    def begin(self, tokens_max: int, *, now_s: float) -> HeldSequence:
        """Give a sequence the lowest free slot.

        Raises:
            LimitReached: every slot is taken.
            PromptTooLong: it will have more positions than a slot.
            FieldInvalid: it will have none.
        """
        if tokens_max < 1:
            raise FieldInvalid("Ask for at least one.", field="open.tokens_max")
        if tokens_max > self.limits.context_tokens_max:
            raise PromptTooLong(
                f"A sequence has at most {self.limits.context_tokens_max} tokens here.",
                field="open.tokens_max",
                metadata={"context_tokens_max": str(self.limits.context_tokens_max)},
            )
        if not self._free:
            raise LimitReached(
                f"This shard holds {self.limits.slots} sequences already.",
                metadata={"slots": str(self.limits.slots)},
                retry_after_s=RETRY_AFTER_S,
            )
        # Low slots first: frames of neighbouring slots are read without a copy.
        slot = min(self._free)
        self._free.remove(slot)
        self._open += 1
        return HeldSequence(slot, tokens_max, used_s=now_s)

    def extend(
        self, sequence: HeldSequence, first: int, positions: int, *, now_s: float
    ) -> None:
        """Take a frame of `positions` from position `first` on.

        Raises:
            FieldInvalid: they do not follow what came before.
            LimitReached: too many frames of the sequence wait.
            PromptTooLong: they exceed what the sequence was opened for.
        """
        if first != sequence.held:
            raise FieldInvalid(
                f"Position {sequence.held} comes next.",
                field="activations.first_position",
            )
        if positions > self.limits.frame_tokens_max:
            raise FieldInvalid(
                f"Send at most {self.limits.frame_tokens_max} positions in a frame.",
                field="activations.positions",
            )
        if first + positions > sequence.tokens_max:
            raise PromptTooLong(
                f"The sequence was opened for {sequence.tokens_max} tokens.",
                field="activations.positions",
            )
        if sequence.waiting >= self.limits.sequence_frames_max:
            raise LimitReached(
                f"{sequence.waiting} frames of this sequence wait already.",
                retry_after_s=RETRY_AFTER_S,
            )
        sequence.held += positions
        sequence.waiting += 1
        sequence.used_s = now_s

    def answered(self, sequence: HeldSequence, *, now_s: float) -> None:
        """Count a frame's answer as gone."""
        sequence.waiting -= 1
        sequence.used_s = now_s

    def is_idle(self, sequence: HeldSequence, *, now_s: float) -> bool:
        """Return whether its leader seems to have forgotten it."""
        unused_s = now_s - sequence.used_s
        return not sequence.waiting and unused_s > self.limits.sequence_idle_s

    def end(self, sequence: HeldSequence) -> None:
        """Give the slot back; idempotent."""
        if sequence.closed:
            return
        sequence.closed = True
        self._free.append(sequence.slot)
        self._open -= 1
