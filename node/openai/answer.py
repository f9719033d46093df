"""One answer of a server behind the OpenAI API, from its first event to its counts.

Decides when an answer is complete: its end was told and its tokens were counted, or it
failed. A stream that just ends is a failure, never a short answer. Refuses to know
slots and queues.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import httpx2

from federated_router.kit.errors import FieldInvalid, Internal
from node.engine.engine import Sampling
from node.engine.pieces import FinishReason, Piece
from node.engine.stop_scanner import StopScanner
from node.model_settings import UpstreamSettings
from node.openai.events import DONE, Event, Usage, event_of
from node.openai.refusals import away, garbled

_HIGH_SURROGATES = ("\ud800", "\udbff")


@dataclass(slots=True)
class Counts:
    """The exact counts of an answer; right once it is complete."""

    prompt_tokens: int = 0
    prompt_tokens_cached: int = 0
    completion_tokens: int = 0

    def take(self, usage: Usage) -> None:
        """Note what the server counted."""
        self.prompt_tokens = usage.prompt_tokens
        self.prompt_tokens_cached = usage.cached_tokens
        self.completion_tokens = usage.completion_tokens


@dataclass(slots=True)
class AnswerReader:
    """Turns events into pieces. Make one for each answer.

    Stop strings are looked for here too: some servers show them, and some ignore them.
    What follows one is counted, because it was generated, and shown to nobody.
    """

    sampling: Sampling
    counts: Counts
    _scanner: StopScanner = field(init=False)
    _finish: FinishReason | None = None
    _counted: bool = False
    _carry: str = ""

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self._scanner = StopScanner(self.sampling.stop)

    def feed(self, event: Event) -> Piece | None:
        """Return what the event adds, if that can be shown or has token ids.

        The piece with `finish` comes once the end and the counts are known.

        Raises:
            FieldInvalid: log probabilities were asked for, and the server tells none.
            Internal: the text is not Unicode.
        """
        self._require_logprobs(event)
        text = self._scanner.feed(self._whole(event.text))
        if event.usage is not None:
            self.counts.take(event.usage)
            self._counted = True
        if event.finish is not None:
            self._finish = event.finish
            text += self._scanner.flush()
        finish = self._complete()
        if not (text or event.token_ids or event.logprobs or finish):
            return None
        return Piece(text, event.token_ids, finish, event.logprobs)

    def require_complete(self) -> None:
        """Raise unless the end and the counts were told.

        Raises:
            Unavailable: the stream ended before the answer did.
            Internal: the server told no counts.
        """
        if self._finish is None:
            raise away("The server that runs this model broke off its answer.")
        if not self._counted:
            raise Internal(
                "The server that runs this model tells no token counts; it must "
                "support stream_options.include_usage."
            )

    def _complete(self) -> FinishReason | None:
        if self._finish is None or not self._counted:
            return None
        if self._carry:
            raise garbled("content")
        return FinishReason.STOP if self._scanner.stopped else self._finish

    def _require_logprobs(self, event: Event) -> None:
        if event.text and self.sampling.logprobs is not None and not event.logprobs:
            raise FieldInvalid(
                "The server that runs this model tells no log probabilities; leave "
                "'logprobs' out.",
                field="generation.sampling.logprobs",
            )

    def _whole(self, text: str) -> str:
        """Return whole characters: JSON may be cut between two surrogates."""
        joined, self._carry = self._carry + text, ""
        if joined and _HIGH_SURROGATES[0] <= joined[-1] <= _HIGH_SURROGATES[1]:
            joined, self._carry = joined[:-1], joined[-1]
        try:
            return joined.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise garbled("content") from None


async def pieces_of(
    response: httpx2.Response, reader: AnswerReader, settings: UpstreamSettings
) -> AsyncGenerator[Piece, None]:
    """Yield the pieces of a streamed answer until it is complete.

    Raises:
        FederationError: the server failed, or says what it should not.
        httpx2.HTTPError: the connection failed.
    """
    events = httpx2.EventSource(response, max_event_size=settings.event_bytes_max)
    done = False
    async for event in events:
        if response.num_bytes_downloaded > settings.answer_bytes_max:
            raise garbled("size")
        if event.data == DONE:
            # Read on to the response's own end: the connection can then be kept.
            reader.require_complete()
            done = True
        elif event.data and not done:
            piece = reader.feed(event_of(event.data))
            if piece is not None:
                yield piece
    reader.require_complete()
