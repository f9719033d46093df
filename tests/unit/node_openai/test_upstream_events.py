"""What events of a foreign server may say: nothing is trusted, nothing guessed at."""

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    Internal,
    PromptTooLong,
    Unavailable,
)
from node.engine.engine import Sampling
from node.engine.pieces import FinishReason, Piece
from node.openai.answer import AnswerReader, Counts
from node.openai.events import Event, event_of

WRONG = {FieldInvalid, Internal, PromptTooLong, Unavailable}
USAGE = {"prompt_tokens": 1, "completion_tokens": 1}
COUNTED = {"choices": [], "usage": USAGE}
ENDED = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


def read(*events: object) -> str:
    """Return what an answer of these events says; raise what is wrong with them."""
    reader, texts = AnswerReader(Sampling(tokens_max=4), Counts()), []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        piece = reader.feed(event_of(data))
        texts.append(piece.text if piece is not None else "")
    reader.require_complete()
    return "".join(texts)


def outcome(call: Callable[[], object]) -> object:
    """Return what comes of a call: its result, or this federation's error."""
    try:
        return call()
    except FederationError as error:
        return error


def said(text: object) -> dict[str, object]:
    """Return an event that adds text."""
    return {"choices": [{"delta": {"content": text}}]}


@given(text=st.text(min_size=1, max_size=30), cuts=st.sets(st.integers(1, 60)))
def test_any_text_cut_anywhere_in_utf16_is_put_together_again(
    text: str, cuts: set[int]
) -> None:
    """Servers that count in UTF-16 cut between two surrogates."""
    units = text.encode("utf-16-le")
    edges = sorted({0, len(units), *(2 * cut for cut in cuts if 2 * cut < len(units))})
    parts = [
        units[start:end].decode("utf-16-le", "surrogatepass")
        for start, end in itertools.pairwise(edges)
    ]

    assert read(*map(said, parts), ENDED, COUNTED) == text


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ("no json", Internal),
        ("", Internal),
        ("[1]", Internal),
        ("[" * 100_000, Internal),
        ('{"choices": 3}', Internal),
        ('{"choices": [3]}', Internal),
        ('{"choices": [{"delta": 3}]}', Internal),
        (said(3), Internal),
        (said("\ud83d x"), Internal),
        (said("\ude00"), Internal),
        ({"choices": [{"finish_reason": "content_filter"}]}, Internal),
        ({"choices": [{"finish_reason": "tool_calls"}]}, Internal),
        ({"choices": [{"finish_reason": 3}]}, Internal),
        ({"usage": 3}, Internal),
        ({"usage": {"prompt_tokens": "3"}}, Internal),
        ({"usage": USAGE | {"completion_tokens": -1}}, Internal),
        ({"usage": USAGE | {"completion_tokens": True}}, Internal),
        ({"usage": USAGE | {"completion_tokens": 2**40}}, Internal),
        ({"usage": USAGE | {"prompt_tokens_details": 3}}, Internal),
        ({"choices": [{"logprobs": 3}]}, Internal),
        ({"choices": [{"logprobs": {"content": 3}}]}, Internal),
        ({"choices": [{"logprobs": {"content": [{"logprob": 1}]}}]}, Internal),
        ({"choices": [{"logprobs": {"content": [{"logprob": "1"}]}}]}, Internal),
        ('{"choices": [{"logprobs": {"content": [{"logprob": NaN}]}}]}', Internal),
        ({"choices": [{"token_ids": ["a"]}]}, Internal),
        ({"choices": [{"token_ids": 3}]}, Internal),
        ({"error": "out of memory"}, Unavailable),
        ({"error": {"message": "bad", "code": 500}}, Unavailable),
        ({"error": {"message": "bad", "code": "odd"}}, Unavailable),
        ({"error": {"message": "bad", "code": 400}}, FieldInvalid),
        ({"error": {"code": 413}}, PromptTooLong),
    ],
)
def test_what_follows_no_rule_ends_the_answer_with_a_reason(
    event: object, error: type[FederationError]
) -> None:
    """The rest of the stream would have made a whole answer of it."""
    with pytest.raises(error):
        read(said("so far"), event, ENDED, COUNTED)


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ((), Unavailable),
        ((said("x"),), Unavailable),
        ((said("x"), COUNTED), Unavailable),
        ((said("x"), ENDED), Internal),
        ((said("\ud83d"), ENDED, COUNTED), Internal),
    ],
)
def test_stream_that_just_ends_is_no_short_answer(
    events: tuple[object, ...], error: type[FederationError]
) -> None:
    """End and counts must both be told, and the last character be whole."""
    with pytest.raises(error):
        read(*events)


@pytest.mark.parametrize("events", [(ENDED, COUNTED), (COUNTED, ENDED)])
def test_end_comes_once_with_both_told_in_any_order(
    events: tuple[object, ...],
) -> None:
    """Some servers count in every event, others after the end."""
    reader = AnswerReader(Sampling(tokens_max=4), Counts())

    pieces = [reader.feed(event_of(json.dumps(event))) for event in events]

    assert pieces[0] is None
    assert pieces[1] is not None
    assert pieces[1].finish is FinishReason.END


@given(data=st.text(max_size=60) | st.binary(max_size=60).map(repr))
def test_no_bytes_raise_anything_but_an_error_of_this_federation(data: str) -> None:
    """A server's rubbish must not look like a defect of this node."""
    found = outcome(lambda: event_of(data))

    assert type(found) in WRONG or isinstance(found, Event)


NAMES = (
    "choices delta content finish_reason usage error logprobs logprob token code "
    "top_logprobs token_ids prompt_tokens completion_tokens prompt_tokens_details"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(content=JSON)
def test_no_json_raises_anything_but_an_error_of_this_federation(
    content: object,
) -> None:
    """The right names with the wrong contents reach every check."""
    reader = AnswerReader(Sampling(tokens_max=4), Counts())

    found = outcome(lambda: reader.feed(event_of(json.dumps(content))))

    assert type(found) in WRONG or found is None or isinstance(found, Piece)
