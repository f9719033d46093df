"""Rows have one public shape, whatever the records hold."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import PromptTooLong, RecordsTooMany
from federated_router.privacy.policy import PrivatePolicy
from node.private.rows import build_rows

PUBLIC_IDS = (1, 2, 3)


def _render(record: str) -> list[int]:
    """Return a prompt of two tokens around one token per byte of the record."""
    return [1, *(10 + byte for byte in record.encode()), 2]


def test_rows_are_padded_on_the_left_to_the_public_length(
    policy: PrivatePolicy,
) -> None:
    """The next token of every row then stands in the same column."""
    rows = build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=["ab"])

    assert rows.token_ids.shape == rows.attention.shape == (5, 16)
    assert rows.token_ids[0].tolist() == [0] * 13 + [1, 2, 3]
    assert rows.attention[0].tolist() == [0] * 13 + [1, 1, 1]
    assert rows.token_ids[1].tolist() == [0] * 12 + [1, 107, 108, 2]


def test_null_slots_run_a_fixed_dummy_and_are_not_live(policy: PrivatePolicy) -> None:
    """Shape, time and memory do not tell how many slots are live."""
    rows = build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=["ab"])

    assert rows.live.tolist() == [True, False, False, False]
    assert rows.token_ids[2:].tolist() == [[0] * 14 + [1, 2]] * 3
    assert rows.attention[2:].sum() == 6


@pytest.mark.parametrize(
    "record", ["", "   ", "x" * 14, "x" * 15, "é" * 5000, "\ud800"]
)
def test_no_record_makes_an_error_or_another_shape(
    policy: PrivatePolicy, record: str
) -> None:
    """An error that depends on content is a leak that no charge covers."""
    rows = build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=[record])

    assert rows.token_ids.shape == (5, 16)
    assert rows.live.tolist() == [True, False, False, False]


def test_record_that_breaks_the_template_is_answered_without(
    policy: PrivatePolicy,
) -> None:
    """Its row is the dummy's, and counts as live: nobody is told."""

    def fragile(record: str) -> list[int]:
        if "{{" in record:
            raise ValueError(record)
        return _render(record)

    rows = build_rows(
        policy, public_ids=PUBLIC_IDS, render=fragile, records=["ok", "a {{ b"]
    )

    assert rows.live.tolist() == [True, True, False, False]
    assert rows.token_ids[2].tolist() == rows.token_ids[3].tolist()


def test_template_that_breaks_on_nothing_is_an_error(policy: PrivatePolicy) -> None:
    """That depends on no record, and must not become an answer without any."""

    def broken(_: str) -> list[int]:
        raise ValueError("no such role")

    with pytest.raises(ValueError, match="no such role"):
        build_rows(policy, public_ids=PUBLIC_IDS, render=broken, records=["ok"])


@given(record=st.text(max_size=60))
def test_a_long_record_loses_its_end_and_the_prompt_stays_whole(record: str) -> None:
    """What follows the record, such as the question, is never cut away."""
    policy = PrivatePolicy(
        name="short",
        slots=1,
        clip=Decimal(1),
        temperature=Decimal(1),
        top_k=1,
        tokens_max=1,
        row_tokens_max=16,
    )
    whole = record.encode("utf-8", "replace")

    rows = build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=[record])

    row = rows.token_ids[1][rows.attention[1] == 1].tolist()
    kept = bytes(token - 10 for token in row[1:-1])
    assert (row[0], row[-1]) == (1, 2)
    assert whole.startswith(kept)
    assert len(kept) == len(whole) or len(kept) > 14 - 4


def test_an_empty_record_is_live(policy: PrivatePolicy) -> None:
    """Null means absent, never empty: an empty record is somebody's."""
    rows = build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=["", ""])

    assert rows.live.tolist() == [True, True, False, False]


def test_as_many_records_as_slots_fit_and_one_more_is_refused(
    policy: PrivatePolicy,
) -> None:
    """Dropping one silently would answer another question."""
    build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=["a"] * 4)

    with pytest.raises(RecordsTooMany) as caught:
        build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=["a"] * 5)

    assert caught.value.metadata == {"slots": "4", "field": "records"}


@pytest.mark.parametrize("length", [0, 17])
def test_a_public_prompt_that_does_not_fit_is_refused(
    policy: PrivatePolicy, length: int
) -> None:
    """The public prompt is no secret, so refusing it tells nothing."""
    with pytest.raises(PromptTooLong):
        build_rows(policy, public_ids=[1] * length, render=_render, records=["a"])


def test_a_template_that_does_not_fit_is_refused_before_any_record(
    policy: PrivatePolicy,
) -> None:
    """With row_tokens_max 1 no record could ever run; the refusal is public."""
    tight = replace(policy, row_tokens_max=1)
    seen: list[str] = []

    def render(record: str) -> list[int]:
        seen.append(record)
        return _render(record)

    with pytest.raises(PromptTooLong):
        build_rows(tight, public_ids=[1], render=render, records=["secret"])

    assert seen == [""]


def test_a_repr_shows_no_record(policy: PrivatePolicy) -> None:
    """Tracebacks and logs print reprs."""
    rows = build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=["ab"])

    assert repr(rows) == "PrivateRows()"
