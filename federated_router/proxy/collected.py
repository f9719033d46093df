"""An answer's events as one message, and one message as events.

Decides how the two forms of an answer become each other. Refuses to know which answers
are kept, and what they cost.
"""

from federated_router.api.v1 import inference_pb2 as pb


class Collected:
    """Collects the events of one answer."""

    def __init__(self) -> None:
        self._answer = pb.CompleteResponse()
        self._texts: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Return whether the last event has come."""
        return self._answer.HasField("finished")

    def add(self, event: pb.GenerateResponse) -> None:
        """Take note of one event."""
        match event.WhichOneof("event"):
            case "started":
                self._answer.started.CopyFrom(event.started)
            case "chunk":
                self._texts.append(event.chunk.text)
                self._answer.logprobs.extend(event.chunk.logprobs)
            case _:
                self._answer.finished.CopyFrom(event.finished)

    def message(self) -> pb.CompleteResponse:
        """Return the answer as far as it came."""
        whole = pb.CompleteResponse()
        whole.CopyFrom(self._answer)
        whole.text = "".join(self._texts)
        return whole


def events_of(answer: pb.CompleteResponse) -> list[pb.GenerateResponse]:
    """Return a whole answer as a stream."""
    chunk = pb.Chunk(text=answer.text, logprobs=answer.logprobs)
    middle = [pb.GenerateResponse(chunk=chunk)] if chunk.ByteSize() else []
    return [
        pb.GenerateResponse(started=answer.started),
        *middle,
        pb.GenerateResponse(finished=answer.finished),
    ]
