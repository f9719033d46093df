"""Events that wait to be stored, and as many of them as fit one transaction.

Decides what is applied together: what members said, in the order in which it came,
until a state ends. An event that is refused leaves no trace and disturbs no other.
Refuses to know the store. Pure: the time is an argument.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from coordinator.rounds import events, lifecycle
from coordinator.rounds.contents import Contents
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.upload import Body

BATCH_MAX: Final = 256
"""Events in one transaction, unless configured otherwise."""


@dataclass(slots=True, eq=False)
class Told:
    """An event that somebody waits for; `after` or `error` once it is decided.

    `alone` where a transaction of several failed: then it gets one of its own.
    """

    name: RoundName
    event: events.Event
    body: Body | None = field(default=None, repr=False)
    after: Round | None = None
    error: Exception | None = None
    alone: bool = False

    @property
    def decided(self) -> bool:
        """Whether nobody needs to wait for it any more."""
        return self.after is not None or self.error is not None

    def outcome(self) -> Round:
        """Return the round after the event, or raise why there is none."""
        if self.error is not None:
            raise self.error
        if self.after is None:
            raise RuntimeError("An event that is not decided has no outcome.")
        return self.after


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that are stored together.

    `after` is the round after all of them, `before_last` the one before the last that
    changed something: the last one alone may have ended a state.
    """

    before: Round
    before_last: Round
    after: Round
    taken: tuple[Told, ...] = ()

    @property
    def contents(self) -> Contents:
        """What came with what was taken, and is stored with it."""
        said = [told.event for told in self.taken]
        return Contents(
            bodies=[told.body for told in self.taken if told.body is not None],
            checks={
                event.member: event.combinations
                for event in said
                if isinstance(event, events.Checked)
            },
        )

    def without_last(self) -> "Batch":
        """Return the batch without the event that changed it last."""
        return replace(self, after=self.before_last, taken=self.taken[:-1])


def batch_of(
    round_: Round, first: Told, others: Iterable[Told], *, now_s: float, most: int
) -> Batch:
    """Apply `first` and others, `most` at most; one that is refused gets its error.

    Only what members say is applied together with others. The batch ends with the
    event that ends a state, so that what a state's end costs is decided for it alone.
    """
    before_last = after = round_
    taken: list[Told] = []
    waiting = (told for told in others if told is not first and not told.decided)
    for told in chain((first,), waiting):
        together = isinstance(told.event, events.FromMember) and not told.alone
        if told.name != round_.name or (taken and not together) or len(taken) >= most:
            break
        try:
            moved = lifecycle.advance(after, told.event, now_s)
        except Exception as error:  # noqa: BLE001 - its sender hears it, nobody else.
            told.error = error
            continue
        taken.append(told)
        if moved is not after:
            before_last, after = after, moved
        if not together or after.state is not round_.state:
            break
    return Batch(round_, before_last, after, tuple(taken))
