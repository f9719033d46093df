"""A request as routing sees it: public features, and wishes within their range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.choice.choosing import NO_WISHES, Wishes
from federated_router.kit.errors import FieldInvalid
from federated_router.routing.requests import (
    BLOCKS_MAX,
    declared_sensitivity,
    prefix_of,
    query_of,
    shape_of,
)
from federated_router.sensitivity.levels import Sensitivity

INTERNAL = Sensitivity.INTERNAL


def asked(*contents: str, model: str = "models/auto") -> pb.Generation:
    """Return a conversation: the user and the assistant in turn."""
    roles = (pb.ROLE_USER, pb.ROLE_ASSISTANT)
    return pb.Generation(
        request_id="r1",
        model=model,
        messages=[
            pb.Message(role=roles[number % 2], content=content)
            for number, content in enumerate(contents)
        ],
    )


def test_query_holds_what_many_requests_share() -> None:
    """Size by the estimate of four bytes a token, and what may be generated."""
    generation = asked("é" * 200)
    generation.sampling.tokens_max = 50
    generation.wishes.models.append("models/a")
    generation.wishes.regions.extend(["north", "south"])

    query = query_of(generation, sensitivity=Sensitivity.SENSITIVE, private=False)

    assert query.models == {"models/a"}
    assert query.regions == {"north", "south"}
    assert query.sensitivity is Sensitivity.SENSITIVE
    assert query.context_tokens == 400 // 4 + 50


def test_private_request_asks_for_no_context() -> None:
    """Its rows are as long as its policy says, whatever the messages."""
    query = query_of(asked("x" * 9000), sensitivity=INTERNAL, private=True)

    assert query.private
    assert query.context_tokens == 0


def test_private_records_leave_no_trace() -> None:
    """Two requests that differ in records alone are one query and one shape."""
    plain, loaded = asked("what is it"), asked("what is it")
    plain.private_context.dataset = loaded.private_context.dataset = "datasets/d"
    loaded.private_context.records.add(text=b"patient 7" * 900)

    queries = [
        query_of(one, sensitivity=INTERNAL, private=True) for one in (plain, loaded)
    ]
    shapes = [shape_of(one, tenant="ada") for one in (plain, loaded)]

    assert queries[0] == queries[1]
    assert shapes[0] == shapes[1]


def test_shape_is_of_one_request() -> None:
    """The prompt is the user's part; the prefix is of the whole conversation."""
    generation = asked("first", "answer", "second")
    generation.sampling.tokens_max = 7
    generation.wishes.cost_max = 0.0
    generation.wishes.steady = True

    shape = shape_of(generation, tenant="ada")

    assert (shape.prompt.text, shape.prompt.turns) == ("second", 2)
    assert (shape.tenant, shape.tokens_max, shape.prompt_tokens) == ("ada", 7, 5)
    assert shape.wishes == Wishes(cost_max=0.0, steady=True)
    assert shape.prefix == ()
    assert shape_of(asked("hi"), tenant="ada").wishes is NO_WISHES


def test_text_is_in_no_representation() -> None:
    """What is logged of a shape must not be the prompt."""
    assert "secret" not in repr(shape_of(asked("secret" * 2000), tenant="ada"))


def test_next_turn_begins_as_the_turn_before() -> None:
    """A conversation that grows keeps its blocks, and adds some."""
    before, after = asked("x" * 5000), asked("x" * 5000, "y" * 3000, "z")

    short, longer = prefix_of(before.messages), prefix_of(after.messages)

    assert len(short) == 2
    assert longer[: len(short)] == short
    assert len(longer) == 3


@given(
    base=st.text("abé漢", min_size=1, max_size=3),
    place=st.integers(min_value=0, max_value=8000),
)
def test_blocks_differ_from_the_first_difference_on(base: str, place: int) -> None:
    """Equal digests mean equal text up to there; a later block never forgives."""
    text = (base * 12_000)[:12_000]
    other = f"{text[:place]}\x01{text[place + 1 :]}"

    one, two = (prefix_of(asked(each).messages) for each in (text, other))

    alike = [a == b for a, b in zip(one, two, strict=False)]
    assert alike == sorted(alike, reverse=True)
    assert not all(alike)


def test_roles_and_bounds_of_messages_count() -> None:
    """The same characters cut elsewhere are another conversation."""
    whole = [pb.Message(role=pb.ROLE_USER, content="x" * 4000)]
    cut = [pb.Message(role=pb.ROLE_USER, content="x" * 2000)] * 2
    system = [pb.Message(role=pb.ROLE_SYSTEM, content="x" * 4000)]

    assert len({prefix_of(one)[0] for one in (whole, cut, system)}) == 3


def test_blocks_are_limited() -> None:
    """However long the prompt, so many digests."""
    assert len(prefix_of(asked("x" * 3_000_000).messages)) == BLOCKS_MAX


@pytest.mark.parametrize(
    ("wish", "value"),
    [
        ("quality_min", 1.1),
        ("quality_min", -0.1),
        ("quality_min", float("nan")),
        ("cost_max", -1.0),
        ("cost_max", float("nan")),
        ("co2e_mg_max", -1.0),
        ("latency_ms_max", float("nan")),
    ],
)
def test_wish_out_of_range_is_refused(wish: str, value: float) -> None:
    """A limit that nothing can be compared with would be no limit."""
    generation = asked("hi")
    setattr(generation.wishes, wish, value)

    with pytest.raises(FieldInvalid) as raised:
        shape_of(generation, tenant="ada")

    assert raised.value.metadata["field"] == f"generation.wishes.{wish}"


@pytest.mark.parametrize(
    ("model", "models", "field"),
    [
        ("gpt", [], "generation.model"),
        ("models/auto", ["gpt"], "generation.wishes.models"),
        ("models/a", ["models/b"], "generation.wishes.models"),
    ],
)
def test_malformed_model_is_refused(model: str, models: list[str], field: str) -> None:
    """By the field that holds it."""
    generation = asked("hi", model=model)
    generation.wishes.models.extend(models)

    with pytest.raises(FieldInvalid) as raised:
        query_of(generation, sensitivity=INTERNAL, private=False)

    assert raised.value.metadata["field"] == field


def test_sensitivity_is_the_senders_or_none() -> None:
    """An unknown number is refused, and never taken for a lower one."""
    generation = asked("hi")
    assert declared_sensitivity(generation) is None

    generation.sensitivity = pb.SENSITIVITY_SENSITIVE
    assert declared_sensitivity(generation) is Sensitivity.SENSITIVE

    generation.sensitivity = 99  # type: ignore[assignment]
    with pytest.raises(FieldInvalid):
        declared_sensitivity(generation)
