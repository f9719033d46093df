"""What a router counts of the requests that it relays, and how it names their users.

Decides the router's part of a request's counts: its pattern and the bandit's features
and reward, once, when the request ends or its outcome is known; and each node that was
lost on the way, which can count nothing any more. What a node served or refused is the
node's to count, so each block gets a request from one member. Only messages are read,
never private records. Refuses to know sums and rounds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.federation.records import (
    FailureCause,
    PatternOutcome,
    Pull,
    RequestRecord,
)
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import METADATA_KEY, UserKey
from federated_router.kit.errors import (
    DeadlineExceeded,
    FederationError,
    Internal,
    LimitReached,
    Unavailable,
)
from federated_router.kit.identity import current_identity
from federated_router.kit.tracing import outgoing_metadata
from federated_router.priors.contents import PRIVATE_TIER, Cell
from federated_router.priors.features import REWARD_MAX, features_of
from federated_router.priors.patterns import pattern_of
from federated_router.priors.prompt import Prompt
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.routing.candidate import Candidate
from federated_router.routing.requests import user_prompt

_FAILURES: Final = (Unavailable, LimitReached, DeadlineExceeded, Internal)
"""What ends a request for a node's reasons; other errors are the caller's."""


SUCCESS_STEPS_MIN: Final = REWARD_MAX // 2
"""The least reward, in steps, of a request that counts as a success of its pattern."""


def is_failure(error: FederationError) -> bool:
    """Return whether a request ended for a node's reasons, not its caller's."""
    return isinstance(error, _FAILURES)


class Seen(Protocol):
    """A prompt as numbers: what is counted of it."""

    @property
    def features(self) -> tuple[int, ...]:
        """Return the bandit's features."""
        ...

    @property
    def pattern(self) -> str:
        """Return the kind of request."""
        ...


@dataclass(frozen=True, slots=True)
class _Numbers:
    features: tuple[int, ...]
    pattern: str


class Recording:
    """Counts for one router; `learns` says whether patterns and features are wanted."""

    def __init__(
        self, statistics: Statistics, *, pseudonyms: Pseudonyms, learns: bool = True
    ) -> None:
        self._statistics = statistics
        self._pseudonyms = pseudonyms
        self._learns = learns

    def metadata(self, candidate: Candidate) -> tuple[tuple[str, str], ...]:
        """Return what goes to a node beside a request: trace, and user's pseudonym."""
        user = self._pseudonyms.user(current_identity(), audience=candidate.node)
        return (*outgoing_metadata(), (METADATA_KEY, user.metadata))

    def lost(self, candidate: Candidate, *, private: bool = False) -> None:
        """Count a node that was lost while it answered."""
        self._statistics.record(
            RequestRecord(
                cell=_cell(candidate, private=private),
                user=self._user(),
                performance=FailureCause.NODE_LOST,
            )
        )

    def answered(self, generation: pb.Generation, candidate: Candidate) -> None:
        """Count a request that was answered to its end."""
        self._learn(generation, candidate, succeeded=True)

    def failed(
        self,
        generation: pb.Generation,
        candidate: Candidate,
        error: FederationError,
    ) -> None:
        """Count a request that ended with this error, if that is not its caller's."""
        if is_failure(error):
            self._learn(generation, candidate, succeeded=False)

    def rewarded(
        self, candidate: Candidate, *, private: bool = False
    ) -> Callable[[Seen, float], None]:
        """Return what counts a request, given what was seen of it and its reward.

        The reward is in [0, 1]. Call it at most once, at any time later, from anywhere:
        it keeps whose request it was, and nothing of the prompt.
        """
        if not self._learns:
            return _count_nothing
        user, cell = self._user(), _cell(candidate, private=private)

        def count(seen: Seen, reward: float) -> None:
            steps = min(REWARD_MAX, max(0, round(reward * REWARD_MAX)))
            succeeded = steps >= SUCCESS_STEPS_MIN
            self._statistics.record(
                RequestRecord(
                    cell=cell,
                    user=user,
                    pattern=PatternOutcome(seen.pattern, succeeded),
                    pull=Pull(seen.features, steps),
                )
            )

        return count

    def _learn(
        self, generation: pb.Generation, candidate: Candidate, *, succeeded: bool
    ) -> None:
        if self._learns:
            private = generation.HasField("private_context")
            count = self.rewarded(candidate, private=private)
            count(_seen(user_prompt(generation)), float(succeeded))

    def _user(self) -> UserKey:
        return self._pseudonyms.user(current_identity(), audience="")


def _seen(prompt: Prompt) -> Seen:
    return _Numbers(features_of(prompt), pattern_of(prompt))


def _count_nothing(_: Seen, __: float) -> None:
    """Count for a router that takes part in no rounds."""


def _cell(candidate: Candidate, *, private: bool) -> Cell:
    tier = PRIVATE_TIER if private else candidate.tier
    return Cell(candidate.model, candidate.region, tier)
