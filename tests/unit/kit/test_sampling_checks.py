"""What may be asked of sampling: the same refusals at the router and at a node."""

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import FieldInvalid, NotPrivatelyServable
from federated_router.kit.sampling_checks import (
    check_priority,
    check_private_sampling,
    check_sampling,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0.0},
        {"temperature": 2.0},
        {"top_k": 0},
        {"top_p": 1.0},
        {"repetition_penalty": 1e-9},
        {"repetition_penalty": 2.0},
        {"logprobs": 0},
        {"logprobs": 20},
        {"answers": 1},
        {"beams": 1},
        {"seed": -(2**63)},
    ],
)
def test_value_at_its_bound_passes(fields: dict[str, float]) -> None:
    """The bounds themselves are allowed."""
    check_sampling(pb.Sampling(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", NAN),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", NAN),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", -1.0),
        ("repetition_penalty", 2.1),
        ("repetition_penalty", NAN),
        ("repetition_penalty", INF),
        ("logprobs", -1),
        ("logprobs", 21),
        ("answers", 0),
        ("answers", 2),
        ("answers", -1),
        ("beams", 0),
        ("beams", 4),
    ],
)
def test_value_outside_its_bounds_is_named(field: str, value: float) -> None:
    """The path is the contract's, so that a program can point at it."""
    with pytest.raises(FieldInvalid) as raised:
        check_sampling(pb.Sampling(**{field: value}))  # type: ignore[arg-type]

    assert raised.value.metadata["field"] == f"generation.sampling.{field}"


@pytest.mark.parametrize("field", ["answers", "beams"])
def test_more_than_one_answer_is_told_what_to_do_instead(field: str) -> None:
    """Whoever translates from another API is refused, not served something else."""
    with pytest.raises(FieldInvalid, match="ask again"):
        check_sampling(pb.Sampling(**{field: 3}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("temperature", 0.0, "greedy"),
        ("temperature", 1.0, "policy"),
        ("top_k", 0, "candidates"),
        ("top_p", 1.0, "records"),
        ("seed", 0, "randomness"),
        ("repetition_penalty", 1.0, "logits"),
        ("logprobs", 0, "charge"),
        ("answers", 2, "release"),
        ("beams", 2, "charge"),
    ],
)
def test_private_request_is_refused_what_the_policy_fixes_and_why(
    field: str, value: float, why: str
) -> None:
    """Even a harmless value is refused: presence is what the contract forbids."""
    with pytest.raises(NotPrivatelyServable, match=why) as raised:
        check_private_sampling(pb.Sampling(**{field: value}))  # type: ignore[arg-type]

    assert raised.value.metadata["field"] == f"generation.sampling.{field}"


@pytest.mark.parametrize("fields", [{}, {"tokens_max": 3}, {"answers": 1, "beams": 1}])
def test_private_request_keeps_length_stop_and_one_answer(
    fields: dict[str, int],
) -> None:
    """They only end the answer sooner, or say what is served anyway."""
    check_private_sampling(pb.Sampling(stop=["."], **fields))


def test_every_field_of_sampling_is_fixed_or_left_on_purpose() -> None:
    """A field that is added later must be decided about, not slip through."""
    left = {"tokens_max", "stop"}
    refused = set()
    for field in pb.Sampling.DESCRIPTOR.fields:
        if field.name in left:
            continue
        try:
            check_private_sampling(pb.Sampling(**{field.name: 2}))  # type: ignore[arg-type]
        except NotPrivatelyServable:
            refused.add(field.name)

    assert refused | left == {field.name for field in pb.Sampling.DESCRIPTOR.fields}


def test_priority_that_the_contract_does_not_know_is_refused() -> None:
    """An enum of the wire may hold any number."""
    for known in pb.Priority.values():
        check_priority(pb.Generation(priority=pb.Priority.Name(known)))

    unknown = pb.Generation(priority=9)  # type: ignore[arg-type]
    with pytest.raises(FieldInvalid) as raised:
        check_priority(unknown)

    assert raised.value.metadata["field"] == "generation.priority"
