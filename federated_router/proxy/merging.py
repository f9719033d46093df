"""Chunks that are ready together leave as one: messages cost more than tokens. Pure."""

from collections.abc import Sequence

from federated_router.api.v1 import inference_pb2 as pb


def merged(
    events: Sequence[pb.GenerateResponse], *, bytes_max: int
) -> list[pb.GenerateResponse]:
    """Return the same events with neighbouring chunks joined up to `bytes_max`.

    Text, token ids and log probabilities keep their order. The first chunk of each
    join is changed in place.
    """
    joined: list[pb.GenerateResponse] = []
    chunks: list[pb.Chunk] = []
    size = 0
    for event in events:
        if not event.HasField("chunk"):
            _join(chunks)
            chunks = []
            joined.append(event)
            continue
        bytes_ = event.ByteSize()
        if not chunks or size + bytes_ > bytes_max:
            _join(chunks)
            chunks, size = [], 0
            joined.append(event)
        chunks.append(event.chunk)
        size += bytes_
    _join(chunks)
    return joined


def _join(chunks: Sequence[pb.Chunk]) -> None:
    if len(chunks) < 2:  # noqa: PLR2004 - one chunk is joined already.
        return
    first = chunks[0]
    first.text = "".join(chunk.text for chunk in chunks)
    for chunk in chunks[1:]:
        first.token_ids.extend(chunk.token_ids)
        first.logprobs.extend(chunk.logprobs)
