"""Chunks that leave together are the same answer in fewer messages."""

from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.proxy.merging import merged

TOKENS = st.lists(st.integers(0, 99), max_size=3)
EVENTS = st.lists(st.tuples(st.text(max_size=8), TOKENS), max_size=20)


def chunk(text: str, token_ids: list[int]) -> pb.GenerateResponse:
    """Return a chunk with a log probability for each token."""
    logprobs = [pb.TokenLogprob(token_id=one, logprob=-one) for one in token_ids]
    return pb.GenerateResponse(
        chunk=pb.Chunk(text=text, token_ids=token_ids, logprobs=logprobs)
    )


def whole(events: list[pb.GenerateResponse]) -> tuple[str, list[int], list[float]]:
    """Return all text, tokens and log probabilities in order."""
    chunks = [event.chunk for event in events]
    return (
        "".join(one.text for one in chunks),
        [token for one in chunks for token in one.token_ids],
        [token.logprob for one in chunks for token in one.logprobs],
    )


@given(EVENTS, st.integers(1, 200))
def test_nothing_is_lost_doubled_or_reordered(
    told: list[tuple[str, list[int]]], bytes_max: int
) -> None:
    """Whatever the sizes: texts, ids and log probabilities add up to the same."""
    before = whole([chunk(*one) for one in told])

    after = merged([chunk(*one) for one in told], bytes_max=bytes_max)

    assert whole(after) == before


@given(EVENTS)
def test_chunks_within_the_limit_are_one(told: list[tuple[str, list[int]]]) -> None:
    """That is what it is for."""
    assert len(merged([chunk(*one) for one in told], bytes_max=1 << 20)) <= 1


def test_limit_on_bytes_is_kept_to() -> None:
    """Only a chunk that was larger already stays so."""
    events = [chunk("x" * 40, [1]) for _ in range(10)] + [chunk("y" * 500, [1])]

    after = merged(events, bytes_max=200)

    assert all(one.ByteSize() <= 200 for one in after[:-1])
    assert 2 < len(after) < len(events)


def test_first_and_last_events_stay_where_they_are() -> None:
    """Only neighbouring chunks are joined."""
    events = [
        pb.GenerateResponse(started=pb.Started(node="nodes/a")),
        chunk("a", [1]),
        chunk("b", [2]),
        pb.GenerateResponse(finished=pb.Finished(completion_tokens=2)),
    ]

    after = merged(events, bytes_max=1000)

    kinds = [event.WhichOneof("event") for event in after]
    assert kinds == ["started", "chunk", "finished"]
    assert after[1].chunk.text == "ab"
