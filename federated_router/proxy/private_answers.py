"""Published private answers, served again without charge.

Decides what of an answer is kept, when a stored one serves, and how it is streamed. A
stored answer came out of the mechanism and was paid for; to repeat it, word for word,
is post-processing and tells nothing new.
"""

from dataclasses import dataclass

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.answers import Answer
from federated_router.budget.cashier import RequestKeys
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import RequestId
from federated_router.budget.settings import AnswerSettings
from federated_router.kit.clock import Clock
from federated_router.proxy.collected import Collected, events_of
from federated_router.proxy.private_price import (
    PrivateTerms,
    body_digest,
    cache_key,
)


@dataclass(frozen=True, slots=True)
class AnswerKeys:
    """Under what a request's answer is kept and found.

    `cache_key` is None where only the same request may be answered again.
    """

    request: RequestKeys
    cache_key: bytes | None
    fresh: bool


class PrivateAnswers:
    """The stored answers of one router's ledger."""

    def __init__(
        self, ledger: LedgerStore, settings: AnswerSettings, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clock = clock

    def keys(
        self, generation: pb.Generation, terms: PrivateTerms, *, user: str
    ) -> AnswerKeys:
        """Return the keys of a request by `user`."""
        return AnswerKeys(
            request=RequestKeys(
                request_id=RequestId(f"{user}.{generation.request_id}"),
                body_digest=body_digest(generation, user=user),
            ),
            cache_key=cache_key(
                generation, terms, user=user, scope=self._settings.scope
            ),
            fresh=generation.private_context.fresh,
        )

    async def find(self, keys: AnswerKeys) -> pb.CompleteResponse | None:
        """Return the answer that may be served again, marked with where it comes from.

        Raises RequestIdReused where the id was used with another body.
        """
        stored = await self._ledger.stored_answer(
            keys.request.request_id,
            body_digest=keys.request.body_digest,
            cache_key=None if keys.fresh else keys.cache_key,
        )
        if stored is None:
            return None
        answer = pb.CompleteResponse.FromString(stored.content)
        replayed = stored.request_id == keys.request.request_id
        answer.started.source = (
            pb.ANSWER_SOURCE_REPLAY if replayed else pb.ANSWER_SOURCE_CACHE
        )
        return answer

    def stored(self, keys: AnswerKeys, answer: "AnswerSoFar") -> Answer | None:
        """Return what to keep of a finished answer; None if it is too long."""
        content = answer.message().SerializeToString()
        if len(content) > self._settings.answer_bytes_max:
            return None
        now_s = self._clock.now_s()
        return Answer(
            request_id=keys.request.request_id,
            content=content,
            stored_time_s=now_s,
            expires_time_s=now_s + self._settings.lifetime_s,
            cache_key=keys.cache_key,
        )


class AnswerSoFar(Collected):
    """Collects what leaves for the caller."""

    def message(self) -> pb.CompleteResponse:
        """Return the answer without its charge, which is not due again."""
        whole = super().message()
        whole.finished.ClearField("charge")
        whole.started.ClearField("reservation")
        return whole


def free_events_of(answer: pb.CompleteResponse) -> list[pb.GenerateResponse]:
    """Return a stored answer as a stream: its charge is nothing."""
    free = pb.CompleteResponse()
    free.CopyFrom(answer)
    free.finished.charge.SetInParent()
    return events_of(free)
