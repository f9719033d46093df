"""What was counted of the requests of one cell, all blocks together.

Decides that a request's counts stay with its cell in every block: a cell that a round
does not take keeps its requests whole. Refuses to know rounds, limits and locks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from federated_router.federation.records import (
    PatternOutcome,
    Pull,
    RequestRecord,
    Success,
)
from federated_router.federation.user_clipping import UserKey
from federated_router.priors.contents import CellCounts


@dataclass(slots=True)
class Tally:
    """Sums over requests; `latency` has one entry per bucket of successes.

    `patterns` holds successes and failures by pattern, `carbon` requests and their
    intensity, `bandit` the gram matrix's upper triangle and then the moment (empty
    without any), `holdout` requests and advantage, `users` the requests of each user.
    """

    latency: list[int]
    requests: int = 0
    failures: int = 0
    tokens: int = 0
    cost: int = 0
    energy: int = 0
    patterns: dict[str, list[int]] = field(default_factory=dict)
    carbon: list[int] = field(default_factory=lambda: [0, 0])
    bandit: list[int] = field(default_factory=list)
    holdout: list[int] = field(default_factory=lambda: [0, 0])
    users: dict[UserKey, int] = field(default_factory=dict)

    @property
    def counts(self) -> CellCounts:
        """The performance block's part."""
        return CellCounts(
            tuple(self.latency), self.failures, self.tokens, self.cost, self.energy
        )

    def add(self, record: RequestRecord, *, bucket: int, advantage: int | None) -> None:
        """Count one request; `bucket` is that of a success, `advantage` in steps."""
        self.requests += 1
        if isinstance(record.performance, Success):
            self.latency[bucket] += 1
            self.tokens += record.performance.tokens
            self.cost += record.performance.cost
            self.energy += record.performance.energy
        elif record.performance is not None:
            self.failures += 1
        if record.carbon is not None:
            _add(self.carbon, (1, record.carbon))
        if record.pattern is not None:
            self._add_pattern(record.pattern)
        if record.pull is not None:
            self._add_pull(record.pull)
        if advantage is not None:
            _add(self.holdout, (1, advantage))

    def merge(self, other: Self) -> None:
        """Add another tally over the same buckets."""
        for name in ("requests", "failures", "tokens", "cost", "energy"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        _add(self.latency, other.latency)
        _add(self.carbon, other.carbon)
        _add(self.holdout, other.holdout)
        if other.bandit:
            self.bandit = self.bandit or [0] * len(other.bandit)
            _add(self.bandit, other.bandit)
        for pattern, outcomes in other.patterns.items():
            _add(self.patterns.setdefault(pattern, [0, 0]), outcomes)
        for user, requests in other.users.items():
            self.users[user] = self.users.get(user, 0) + requests

    def to_json(self) -> dict[str, Any]:
        """Return the tally for `json.dumps`."""
        return {
            "latency": self.latency,
            "sums": [
                self.requests,
                self.failures,
                self.tokens,
                self.cost,
                self.energy,
            ],
            "patterns": self.patterns,
            "carbon": self.carbon,
            "bandit": self.bandit,
            "holdout": self.holdout,
            "users": _by_epoch(self.users),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the tally that `to_json` gave."""
        requests, failures, tokens, cost, energy = content["sums"]
        return cls(
            content["latency"],
            requests,
            failures,
            tokens,
            cost,
            energy,
            patterns=content["patterns"],
            carbon=content["carbon"],
            bandit=content["bandit"],
            holdout=content["holdout"],
            users=dict(_users(content["users"])),
        )

    def _add_pattern(self, outcome: PatternOutcome) -> None:
        counts = self.patterns.setdefault(outcome.pattern, [0, 0])
        counts[0 if outcome.succeeded else 1] += 1

    def _add_pull(self, pull: Pull) -> None:
        x = pull.features
        moved = [a * b for at, a in enumerate(x) for b in x[at:]]
        moved += [pull.reward * value for value in x]
        self.bandit = self.bandit or [0] * len(moved)
        _add(self.bandit, moved)


def _add(sums: list[int], moved: list[int] | tuple[int, ...]) -> None:
    for at, value in enumerate(moved):
        sums[at] += value


def _by_epoch(users: Mapping[UserKey, int]) -> dict[str, dict[str, int]]:
    grouped: dict[str, dict[str, int]] = {}
    for user, requests in users.items():
        grouped.setdefault(user.epoch, {})[user.pseudonym] = requests
    return grouped


def _users(
    grouped: Mapping[str, Mapping[str, int]],
) -> Iterator[tuple[UserKey, int]]:
    for epoch, pseudonyms in grouped.items():
        for pseudonym, requests in pseudonyms.items():
            yield UserKey(epoch, pseudonym), requests
