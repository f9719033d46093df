"""What left is told to the next node exactly: no token twice, none missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import Internal
from federated_router.proxy.delivered import Delivered

CHUNKS = st.lists(
    st.tuples(st.text(max_size=5), st.lists(st.integers(0, 99), min_size=1, max_size=4))
)


def told(chunks: list[tuple[str, list[int]]], *, tokens_max: int = 1000) -> Delivered:
    """Return what is known after these chunks left."""
    delivered = Delivered(tokens_max)
    for text, token_ids in chunks:
        delivered.add(pb.Chunk(text=text, token_ids=token_ids))
    return delivered


@given(CHUNKS)
def test_next_node_is_told_every_token_and_every_byte(
    chunks: list[tuple[str, list[int]]],
) -> None:
    """Bytes, not characters: the rest of a text is cut by them."""
    delivered = told(chunks)

    continuation = delivered.continuation() or pb.Continuation()

    assert list(continuation.token_ids) == [one for _, ids in chunks for one in ids]
    assert continuation.text_bytes == len("".join(text for text, _ in chunks).encode())
    assert delivered.can_continue


def test_answer_of_which_nothing_left_begins_anew() -> None:
    """No continuation is a request like any other."""
    assert Delivered(10).continuation() is None
    assert told([("", [])]).continuation() is None


def test_text_whose_tokens_are_not_told_cannot_be_continued() -> None:
    """Another server runs the model: nobody knows where another node would go on."""
    assert not told([("ab", [])]).can_continue


def test_text_that_was_still_owed_may_come_without_tokens() -> None:
    """What was held back as the possible begin of a stop string leaves at the end."""
    delivered = told([("a", [1, 2]), ("b", [])])

    assert delivered.can_continue
    assert delivered.continuation() == pb.Continuation(token_ids=[1, 2], text_bytes=2)


def test_as_many_tokens_are_kept_as_configured() -> None:
    """One more, and the answer ends with its node as before."""
    assert told([("a", [1, 2, 3])], tokens_max=3).can_continue
    assert not told([("a", [1, 2]), ("b", [3, 4])], tokens_max=3).can_continue


def test_last_event_says_how_often_the_answer_went_on() -> None:
    """And nothing where it never did."""
    delivered, undisturbed = told([("a", [1, 2])]), told([("a", [1, 2])])
    delivered.another_node()
    delivered.add(pb.Chunk(text="b", token_ids=[3]))
    finished, plain = pb.Finished(completion_tokens=3), pb.Finished(completion_tokens=2)

    delivered.complete(finished)
    undisturbed.complete(plain)

    assert finished.resumptions == 1
    assert delivered.part_tokens == 1
    assert plain == pb.Finished(completion_tokens=2)


def test_node_that_counted_other_tokens_is_not_believed() -> None:
    """It began anew: what its caller has is no answer that any node made."""
    delivered = told([("a", [1, 2])])
    delivered.another_node()
    delivered.add(pb.Chunk(text="a", token_ids=[1]))

    with pytest.raises(Internal):
        delivered.complete(pb.Finished(completion_tokens=1))
