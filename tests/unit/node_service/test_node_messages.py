"""From the contract's fields to the engine's values, and back."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.federation.user_clipping import UserKey
from federated_router.kit.errors import FieldInvalid, LimitReached
from node.config import SamplingDefaults
from node.engine.engine import Continuation, Priority, Sampling
from node.engine.pieces import FinishReason, Piece, TokenLogprob
from node.messages import (
    chunk_of,
    continuation_of,
    finished_of,
    messages_of,
    sampling_of,
    terms_of,
)
from node.statistics.endings import TokenCounts

DEFAULTS = SamplingDefaults(tokens_max=7, temperature=0.5, top_k=3, top_p=0.9)
USER = UserKey("0" * 16, "a" * 32)


def test_what_a_request_leaves_out_is_the_nodes_default() -> None:
    """Penalty and log probabilities are off unless somebody asks."""
    assert sampling_of(pb.Sampling(), DEFAULTS) == Sampling(
        tokens_max=7, temperature=0.5, top_k=3, top_p=0.9
    )


def test_what_a_request_says_is_what_the_engine_gets() -> None:
    """Every field, zeros included: a zero that is said is no default."""
    asked = pb.Sampling(
        tokens_max=2,
        temperature=0,
        top_k=0,
        top_p=1,
        seed=-3,
        stop=["x"],
        repetition_penalty=1.5,
        logprobs=0,
    )

    assert sampling_of(asked, DEFAULTS) == Sampling(
        tokens_max=2,
        temperature=0.0,
        top_k=0,
        top_p=1.0,
        seed=-3,
        stop=("x",),
        repetition_penalty=1.5,
        logprobs=0,
    )


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (pb.PRIORITY_UNSPECIFIED, Priority.NORMAL),
        (pb.PRIORITY_LOW, Priority.LOW),
        (pb.PRIORITY_NORMAL, Priority.NORMAL),
        (pb.PRIORITY_HIGH, Priority.HIGH),
    ],
)
def test_priority_is_the_engines(priority: pb.Priority, expected: Priority) -> None:
    """Absent is normal."""
    terms = terms_of(pb.Generation(priority=priority), user=None, allowed_s=None)

    assert terms.priority is expected


def test_unknown_priority_is_refused() -> None:
    """Not taken for a normal one."""
    unknown = pb.Generation(priority=7)  # type: ignore[arg-type]

    with pytest.raises(FieldInvalid):
        terms_of(unknown, user=None, allowed_s=None)


def test_tenant_is_the_user_that_the_router_named_and_in_no_repr() -> None:
    """Another key's pseudonym is another tenant; without one nothing is kept."""
    named = terms_of(pb.Generation(), user=USER, allowed_s=None)
    other = terms_of(
        pb.Generation(), user=USER._replace(epoch="1" * 16), allowed_s=None
    )
    nobody = terms_of(pb.Generation(), user=None, allowed_s=None)

    assert len({named.tenant, other.tenant, nobody.tenant}) == 3
    assert nobody.tenant == ""
    assert USER.pseudonym not in repr(named)


def test_deadline_is_on_the_engines_clock() -> None:
    """What is left of the call, from now."""
    before_s = time.monotonic()
    terms = terms_of(pb.Generation(), user=None, allowed_s=5.0)

    assert terms.deadline_s is not None
    assert before_s + 5 <= terms.deadline_s <= time.monotonic() + 5


@given(
    text=st.text(max_size=20),
    ids=st.lists(st.integers(0, 2**31 - 1), max_size=4),
    logprob=st.floats(max_value=0, allow_nan=False),
)
def test_piece_and_chunk_say_the_same(
    text: str, ids: list[int], logprob: float
) -> None:
    """Nothing is lost on the way to the wire."""
    drawn = tuple(TokenLogprob(one, logprob, ((one, logprob),)) for one in ids)

    chunk = chunk_of(Piece(text, tuple(ids), None, drawn)).chunk

    assert (chunk.text, list(chunk.token_ids)) == (text, ids)
    assert [(one.token_id, one.logprob) for one in chunk.logprobs] == [
        (one, logprob) for one in ids
    ]
    assert all(
        (one.alternatives[0].token_id, one.alternatives[0].logprob)
        == (one.token_id, one.logprob)
        for one in chunk.logprobs
    )


@pytest.mark.parametrize("last", [None, Piece("", (), FinishReason.CANCELLED)])
def test_answer_that_the_engine_left_is_not_finished(last: Piece | None) -> None:
    """A stopped engine must not look like a model that had nothing more to say."""
    with pytest.raises(LimitReached):
        finished_of(last, TokenCounts(prompt=1, output=1))


def test_role_that_nobody_knows_is_left_to_the_engines_check() -> None:
    """It names the field; an empty role is none of its own."""
    unknown = pb.Message(role=99, content="x")  # type: ignore[arg-type]

    (message,) = messages_of(pb.Generation(messages=[unknown]))

    assert message.role == ""


def test_absent_continuation_is_none_and_a_told_one_is_kept_in_order() -> None:
    """The engine must know an answer that begins from one that goes on."""
    begun = pb.Continuation(token_ids=[3, 1, 2], text_bytes=2)

    assert continuation_of(pb.Generation()) is None
    assert continuation_of(pb.Generation(continuation=begun)) == Continuation(
        (3, 1, 2), 2
    )
