"""What a request must be before anything is reserved or sent."""

from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import (
    InvalidInput,
    NotPrivatelyServable,
    PromptTooLong,
    RecordNotText,
    RecordsTooMany,
)
from federated_router.proxy.checks import check_generation, check_slots
from federated_router.proxy.settings import ProxySettings

SETTINGS = ProxySettings(
    messages_max=2, prompt_bytes_max=64, record_bytes_max=16, tokens_max=100
)
Change = Callable[[pb.Generation], object]


def public() -> pb.Generation:
    """Return a sound public request."""
    return pb.Generation(
        request_id="r-1",
        model="models/m",
        messages=[pb.Message(role=pb.ROLE_USER, content="hello")],
    )


def private() -> pb.Generation:
    """Return a sound private request."""
    made = public()
    made.private_context.CopyFrom(
        pb.PrivateContext(
            dataset="datasets/d",
            policy="policies/p",
            selection=pb.SELECTION_BY_ID,
            records=[pb.Record(id="a", text=b"x"), pb.Record(id="b", text=b"y")],
        )
    )
    return made


def refusal(generation: pb.Generation) -> InvalidInput | None:
    """Return why the request is refused, if it is."""
    try:
        check_generation(generation, SETTINGS)
    except InvalidInput as error:
        return error
    return None


def too_many_messages(made: pb.Generation) -> None:
    """Say hello three times."""
    made.messages.extend([made.messages[0]] * 2)


def speaks_as(role: int) -> Change:
    """Give the first message another speaker."""

    def change(made: pb.Generation) -> None:
        made.messages[0].role = role  # type: ignore[assignment]

    return change


def sampled(**fields: object) -> Change:
    """Ask for another way of drawing."""
    return lambda made: made.sampling.MergeFrom(pb.Sampling(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("made", [public(), private()], ids=["public", "private"])
def test_sound_request_passes(made: pb.Generation) -> None:
    """Nothing more is asked than the contract says."""
    assert refusal(made) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda made: setattr(made, "request_id", "A"), "request_id"),
        (lambda made: setattr(made, "request_id", "a" * 64), "request_id"),
        (lambda made: setattr(made, "model", "m"), "model"),
        (too_many_messages, "messages"),
        (speaks_as(0), "messages[0].role"),
        (speaks_as(99), "messages[0].role"),
        (sampled(tokens_max=0), "sampling.tokens_max"),
        (sampled(tokens_max=101), "sampling.tokens_max"),
        (sampled(temperature=-0.1), "sampling.temperature"),
        (sampled(top_k=-1), "sampling.top_k"),
        (sampled(top_p=0.0), "sampling.top_p"),
        (sampled(repetition_penalty=2.5), "sampling.repetition_penalty"),
        (sampled(logprobs=21), "sampling.logprobs"),
        (sampled(answers=2), "sampling.answers"),
        (sampled(beams=2), "sampling.beams"),
        (lambda made: setattr(made, "priority", 9), "priority"),
        (lambda made: setattr(made, "sensitivity", 9), "sensitivity"),
        (lambda made: made.continuation.SetInParent(), "continuation"),
        (sampled(stop=["x"] * 5), "sampling.stop"),
        (sampled(stop=["ä" * 33]), "sampling.stop"),
        (sampled(stop=[""]), "sampling.stop"),
    ],
)
def test_public_field_outside_its_bounds_is_named(change: Change, field: str) -> None:
    """The path is the contract's, so that a program can point at it."""
    made = public()
    change(made)

    error = refusal(made)

    assert error is not None
    assert error.metadata["field"] == f"generation.{field}"


@pytest.mark.parametrize("size", [64, 65])
def test_prompt_is_measured_in_bytes_over_all_messages(size: int) -> None:
    """Two messages of half the limit fit; one byte more does not."""
    made = public()
    made.messages[0].content = "ä" * 16
    made.messages.add(role=pb.ROLE_USER, content="x" * (size - 32))

    error = refusal(made)

    assert (error is None) is (size == 64)
    assert error is None or isinstance(error, PromptTooLong)


def context(change: Callable[[pb.PrivateContext], object]) -> Change:
    """Change what is private of a request."""
    return lambda made: change(made.private_context)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (context(lambda one: one.grant.SetInParent()), "grant"),
        (context(lambda one: setattr(one, "dataset", "d")), "dataset"),
        (context(lambda one: setattr(one, "policy", "p")), "policy"),
        (context(lambda one: setattr(one, "selection", 0)), "selection"),
        (context(lambda one: setattr(one, "selection", 9)), "selection"),
        (context(lambda one: one.records.add(id="a", text=b"z")), "records"),
        (context(lambda one: one.records.add(id="A", text=b"z")), "records[2].id"),
        (
            context(lambda one: one.records.add(id="c", text=b"z" * 17)),
            "records[2].text",
        ),
        (context(lambda one: one.records.add(id="c", text=b"\xff")), "records[2].text"),
        (
            context(lambda one: one.records.add(id="c", text=b"\xed\xa0\x80")),
            "records[2].text",
        ),
    ],
)
def test_private_field_outside_its_bounds_is_named(change: Change, field: str) -> None:
    """Before anything is reserved, so that it costs nothing."""
    made = private()
    change(made)

    error = refusal(made)

    assert error is not None
    assert error.metadata["field"] == f"generation.private_context.{field}"


@pytest.mark.parametrize(
    "change",
    [
        sampled(temperature=0.0),
        sampled(seed=0),
        sampled(logprobs=0),
    ],
)
def test_private_request_fixes_no_sampling_of_its_own(change: Change) -> None:
    """Even a harmless value is refused: presence is what the contract forbids."""
    made = private()
    change(made)

    assert isinstance(refusal(made), NotPrivatelyServable)


def test_length_and_stop_remain_the_callers() -> None:
    """They only end the answer sooner."""
    made = private()
    sampled(tokens_max=3, stop=["."])(made)

    assert refusal(made) is None


@given(texts=st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4))
def test_refusal_depends_on_a_record_only_by_length_and_encoding(
    texts: list[bytes],
) -> None:
    """What a record says must not decide; what it is may."""
    made = private()
    del made.private_context.records[:]
    for number, text in enumerate(texts):
        made.private_context.records.add(id=f"r{number}", text=text)

    error = refusal(made)

    first = next((text for text in texts if len(text) > 16 or not is_text(text)), None)
    assert (error is None) is (first is None)
    if first is not None and len(first) <= 16:
        assert isinstance(error, RecordNotText)
    assert error is None or not any(
        text.decode("latin-1") in error.message for text in texts if len(text) > 3
    )


def is_text(content: bytes) -> bool:
    """Return whether bytes are UTF-8."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(("records", "slots"), [(1, 1), (8, 8), (0, 1)])
def test_as_many_records_as_slots_fit(records: int, slots: int) -> None:
    """An empty slot is no fault."""
    made = pb.PrivateContext(records=[pb.Record()] * records)

    check_slots(made, slots)


def test_one_record_too_many_says_how_many_slots_there_are() -> None:
    """The policy's figure is public and in the metadata."""
    with pytest.raises(RecordsTooMany) as raised:
        check_slots(pb.PrivateContext(records=[pb.Record()] * 9), 8)

    assert raised.value.metadata["slots"] == "8"


@given(content=st.binary(max_size=200))
def test_any_bytes_of_the_wire_are_checked_or_refused(content: bytes) -> None:
    """Whatever parses as a request gets a verdict of this federation."""
    try:
        made = pb.Generation.FromString(content)
    except DecodeError:
        return

    error = refusal(made)

    assert error is not None
    assert error.metadata["field"].startswith("generation.")
