"""How public requests ended, for those who learn which model answers what.

Decides that a request counts once: as its caller reports it where reports are taken, as
the router saw it otherwise. Refuses to know how either is learned from.
"""

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import FederationError
from federated_router.proxy.asked import Asked
from federated_router.proxy.neighbours import Outcomes
from federated_router.proxy.recording import Recording, is_failure
from federated_router.routing.candidate import Candidate


class Verdicts:
    """Tells of each public request once, before its last event leaves."""

    def __init__(self, recording: Recording, outcomes: Outcomes | None) -> None:
        self._recording = recording
        self._outcomes = outcomes

    def answered(
        self, asked: Asked, candidate: Candidate, finished: pb.Finished
    ) -> None:
        """Tell of a request that was answered to its end."""
        if self._outcomes is None:
            self._recording.answered(asked.generation, candidate)
            return
        self._remember(self._outcomes, asked, candidate)
        self._outcomes.served(
            asked.tenant,
            asked.generation.request_id,
            succeeded=True,
            stopped_by_length=finished.reason == pb.FINISH_REASON_LENGTH,
        )

    def failed(
        self, asked: Asked, candidate: Candidate, error: FederationError
    ) -> None:
        """Tell of a request that ended with this error, if a node is the reason."""
        if self._outcomes is None:
            self._recording.failed(asked.generation, candidate, error)
        elif is_failure(error):
            self._remember(self._outcomes, asked, candidate)
            self._outcomes.served(
                asked.tenant, asked.generation.request_id, succeeded=False
            )

    def _remember(self, outcomes: Outcomes, asked: Asked, candidate: Candidate) -> None:
        outcomes.remember(
            asked.tenant,
            asked.generation.request_id,
            candidate.model,
            asked.shape.prompt,
            tell=self._recording.rewarded(candidate),
        )
