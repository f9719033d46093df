"""Why requests of a replay were not answered, and how each kind of them fared. Pure.

Decides which losses nobody could have prevented: a private request is never repeated
once it was sent, and where every node is dead there is nobody to ask. What is left over
is the router's own.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np

from tests.evaluate.azure_run import Kill, Seen

KINDS: Final = ("stream", "whole", "private")
ABSENT_S: Final = 3.0
"""How long a router may go without a node that serves: it registers in that time."""


class Cause(StrEnum):
    """Why a request was not answered."""

    PRIVATE_SENT = "private_never_repeated"
    ALL_DEAD = "every_node_dead"
    REFUSED_FULL = "refused_for_load"
    LATE = "out_of_time"
    OURS = "router"


def cause_of(seen: Seen, kills: Sequence[Kill], nodes: Collection[str]) -> Cause:
    """Return why a request that was not answered was lost."""
    if seen.private and seen.reason == "NODE_LOST":
        return Cause.PRIVATE_SENT
    if seen.reason in {"QUEUE_FULL", "RATE_LIMITED", "OVERLOADED"}:
        return Cause.REFUSED_FULL
    if seen.reason == "DEADLINE_EXCEEDED":
        return Cause.LATE
    if any(
        begin_s <= seen.ended_s and seen.sent_s <= end_s + ABSENT_S
        for begin_s, end_s in _all_dead(kills, nodes)
    ):
        return Cause.ALL_DEAD
    return Cause.OURS


def losses(
    seen: Mapping[str, Seen], kills: Sequence[Kill], nodes: Collection[str]
) -> Mapping[str, Counter[Cause]]:
    """Return how many requests of each kind were lost, by cause."""
    found: dict[str, Counter[Cause]] = {kind: Counter() for kind in KINDS}
    for one in seen.values():
        if not one.answered:
            found[one.kind][cause_of(one, kills, nodes)] += 1
    return found


def success_ratio(seen: Collection[Seen]) -> float:
    """Return the share of these requests that was answered; 1 where there are none."""
    return sum(one.answered for one in seen) / len(seen) if seen else 1.0


def took_ms(seen: Collection[Seen], share: float) -> float | None:
    """Return a quantile of the answers' times to their end; None without answers."""
    times_s = [one.ended_s - one.sent_s for one in seen if one.answered]
    return float(np.quantile(times_s, share)) * 1000 if times_s else None


def _all_dead(
    kills: Sequence[Kill], nodes: Collection[str]
) -> Iterator[tuple[float, float]]:
    """Yield the intervals in which no node served."""
    for last in kills:
        down = {one.node for one in kills if one.at_s <= last.at_s < _back_s(one)}
        if down >= set(nodes):
            ends = (
                _back_s(one) for one in kills if one.at_s <= last.at_s < _back_s(one)
            )
            yield last.at_s, min(ends)


def _back_s(kill: Kill) -> float:
    return float("inf") if kill.back_s is None else kill.back_s
