"""Steps take plain, bounded parameters, and their text is readable for ever."""

import json
import math
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid, InvalidInput, NotPrivatelyServable
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
)
from federated_router.privacy.step_text import step_of, step_text
from tests.unit.privacy.steps import STEPS

# These texts stand in ledgers. A line may be added; none may ever change.
GOLDEN: list[tuple[Step, str]] = [
    (
        TokenStep(
            slots=7,
            clip=Decimal("0.660"),
            temperature=Decimal(1),
            multiplier=4,
            records_per_subject=2,
        ),
        (
            '{"clip":"0.66","mechanism":"token_selection","multiplier":4,'
            '"records_per_subject":2,"slots":7,"temperature":"1"}'
        ),
    ),
    (
        GaussianStep(sensitivity_squared=Fraction("2.25"), scale=Fraction(10)),
        '{"mechanism":"gaussian","scale":"10","sensitivity_squared":"2.25"}',
    ),
    (
        LaplaceStep(sensitivity=Fraction("0.000000001"), scale=Fraction("0.5")),
        '{"mechanism":"laplace","scale":"0.5","sensitivity":"0.000000001"}',
    ),
    (
        DiscreteLaplaceStep(sensitivity=Fraction(3), scale=Fraction(1000)),
        '{"mechanism":"discrete_laplace","scale":"1000","sensitivity":"3"}',
    ),
    (
        SelectionStep(
            sensitivity=Fraction(1), temperature=Fraction("0.25"), monotonic=True
        ),
        (
            '{"mechanism":"exponential","monotonic":true,"sensitivity":"1",'
            '"temperature":"0.25"}'
        ),
    ),
    (
        NoisedSumStep(
            sensitivity_squared=1, share_sigma=12.5, shares_min=8, length=108
        ),
        (
            '{"length":108,"mechanism":"noised_sum","sensitivity_squared":1,'
            '"share_sigma":"12.5","shares_min":8}'
        ),
    ),
]


NAMES = {type(step): json.loads(text)["mechanism"] for step, text in GOLDEN}


@pytest.mark.parametrize(("step", "text"), GOLDEN)
def test_a_step_has_the_text_that_ledgers_hold(step: Step, text: str) -> None:
    """Written as ever, read as ever: the meaning of stored events never changes."""
    assert step_text(step) == text
    assert step_of(text) == step


def test_every_kind_of_step_has_a_golden_text() -> None:
    """A new mechanism is not done before its text is fixed."""
    assert {type(step) for step, _ in GOLDEN} == set(get_args(Step))


@given(step=STEPS, dataset=st.text(max_size=100))
def test_writing_and_reading_a_step_loses_nothing(step: Step, dataset: str) -> None:
    """Charges are derived from what is read; one lost digit is another charge."""
    text = step_text(step, context={"dataset": dataset, "policy": "policies/a"})

    assert step_of(text) == step
    assert step_text(step_of(text)) == step_text(step)
    assert json.loads(text)["mechanism"] == NAMES[type(step)]


def test_the_first_release_wrote_events_that_are_still_read() -> None:
    """With spaces, in str(Decimal) form, beside data set and policy."""
    text = json.dumps(
        {
            "mechanism": "token_selection",
            "dataset": "datasets/notes",
            "policy": "policies/ward",
            "slots": 32,
            "clip": "6.00",
            "temperature": "1E+1",
            "multiplier": 1,
            "records_per_subject": 1,
        },
        sort_keys=True,
    )

    assert step_of(text) == TokenStep(
        slots=32,
        clip=Decimal(6),
        temperature=Decimal(10),
        multiplier=1,
        records_per_subject=1,
    )


def test_equal_steps_have_equal_text() -> None:
    """Reports count by step, and ledgers compare by text."""
    one = LaplaceStep(sensitivity=Fraction(1, 2), scale=Fraction(2))
    other = LaplaceStep(sensitivity=Fraction("0.50"), scale=Fraction("2.0"))

    assert (one, step_text(one)) == (other, step_text(other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"gaussian"',
        "{",
        "[" * 4000,
        "{}",
        '{"mechanism":"magic"}',
        '{"mechanism":["gaussian"]}',
        '{"mechanism":"gaussian","scale":"10"}',
        '{"mechanism":"laplace","scale":"10","sensitivity":"1","seed":"7"}',
        '{"mechanism":"laplace","scale":10,"sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"1/3","sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"NaN","sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"-1","sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"0","sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"1e3","sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"٣","sensitivity":"1"}',
        '{"mechanism":"laplace","scale":"1","scale":"9","sensitivity":"1"}',
        (
            '{"mechanism":"noised_sum","length":1.5,"sensitivity_squared":1,'
            '"share_sigma":"2","shares_min":1}'
        ),
        (
            '{"mechanism":"noised_sum","length":true,"sensitivity_squared":1,'
            '"share_sigma":"2","shares_min":1}'
        ),
        (
            '{"mechanism":"noised_sum","length":NaN,"sensitivity_squared":1,'
            '"share_sigma":"2","shares_min":1}'
        ),
        '{"mechanism":"exponential","monotonic":1,"sensitivity":"1","temperature":"1"}',
        '{"mechanism":"gaussian","scale":"10","sensitivity_squared":"1","policy":"'
        + "p" * 4096
        + '"}',
    ],
)
def test_text_that_is_no_step_is_refused(text: str) -> None:
    """A charge is never derived from a guess."""
    with pytest.raises(FieldInvalid):
        step_of(text)


def test_greedy_tokens_are_refused_when_read() -> None:
    """Temperature 0 has no finite loss, whoever wrote it down."""
    text = step_text(GOLDEN[0][0]).replace('"temperature":"1"', '"temperature":"0"')

    with pytest.raises(NotPrivatelyServable):
        step_of(text)


def test_context_is_public_names_and_bounded() -> None:
    """Nothing else about a request is kept beside its mechanism, and no essay."""
    step = GOLDEN[1][0]

    with pytest.raises(FieldInvalid):
        step_text(step, context={"prompt": "how is patient 7?"})
    with pytest.raises(FieldInvalid):
        step_text(step, context={"dataset": "d" * 4096})


@pytest.mark.parametrize(
    "value",
    [
        Fraction(0),
        Fraction(-1),
        Fraction(1, 3),
        Fraction(1, 10**10),
        Fraction(5e-324),
        Fraction(10**9 + 1),
        Fraction(1, 2**19),
        1.0,
        math.nan,
        math.inf,
        1,
        True,
        "1",
    ],
)
def test_parameters_that_are_no_plain_decimal_are_refused(value: object) -> None:
    """Zero, negative, subnormal, huge, inexact: each has broken some library."""
    one = Fraction(1)
    for build in (
        lambda bad: GaussianStep(sensitivity_squared=one, scale=bad),
        lambda bad: LaplaceStep(sensitivity=bad, scale=one),
        lambda bad: LaplaceStep(sensitivity=one, scale=bad),
        lambda bad: DiscreteLaplaceStep(sensitivity=bad, scale=one),
        lambda bad: DiscreteLaplaceStep(sensitivity=one, scale=bad),
        lambda bad: SelectionStep(sensitivity=bad, temperature=one, monotonic=False),
        lambda bad: SelectionStep(sensitivity=one, temperature=bad, monotonic=False),
    ):
        with pytest.raises(FieldInvalid):
            build(value)


@pytest.mark.parametrize("value", [0, -1, 2**63, 1.0, True, "1"])
def test_a_noised_sum_counts_in_whole_positive_numbers(value: object) -> None:
    """Its figures become columns and divisors."""
    good = GOLDEN[-1][0]
    assert isinstance(good, NoisedSumStep)
    for field in fields(NoisedSumStep):
        if field.name == "share_sigma":
            continue
        given_fields = {f.name: getattr(good, f.name) for f in fields(NoisedSumStep)}
        with pytest.raises(InvalidInput):
            NoisedSumStep(**{**given_fields, field.name: value})
