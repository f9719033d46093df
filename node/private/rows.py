"""The rows of a private forward pass: one public, then one per slot, all alike.

Decides how records become token ids of one public shape; refuses to know models,
templates and budgets. Pure. Nothing here fails, and no shape changes, because of what
a record says: a content-dependent error is a leak that no charge covers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated_router.kit.errors import PromptTooLong, RecordsTooMany
from federated_router.privacy.policy import PrivatePolicy

Render = Callable[[str], Sequence[int]]

# Text averages far fewer; the cut bounds the tokenizer's work by a public figure.
_CHARACTERS_PER_TOKEN_MAX = 16


@dataclass(frozen=True, slots=True)
class PrivateRows:
    """Token ids and attention of B+1 rows; row 0 is public, the others are secret.

    `token_ids` and `attention` have shape (B+1, L_max), padded on the left;
    `live` has shape (B,) and is False for null slots.
    """

    token_ids: NDArray[np.int64] = field(repr=False)
    attention: NDArray[np.int64] = field(repr=False)
    live: NDArray[np.bool_] = field(repr=False)


def build_rows(
    policy: PrivatePolicy,
    *,
    public_ids: Sequence[int],
    render: Render,
    records: Sequence[str],
    pad_id: int = 0,
) -> PrivateRows:
    """Lay out the public prompt and the records in rows of the policy's shape.

    `public_ids` is the whole prompt without a record; `render(record)` returns the
    whole prompt with one. A record that does not fit loses its end. Null slots run
    the prompt around an empty record, so that shape, time and memory do not tell how
    many slots are live; the mechanism gives them weight zero all the same.

    Raises:
        RecordsTooMany: more records than slots.
        PromptTooLong: the prompt does not fit even without any record.
    """
    if len(records) > policy.slots:
        raise RecordsTooMany(
            f"Policy '{policy.name}' has {policy.slots} slots; send fewer records.",
            field="records",
            metadata={"slots": str(policy.slots)},
        )
    length = policy.row_tokens_max
    empty = tuple(render(""))
    if not public_ids or not empty or max(len(public_ids), len(empty)) > length:
        raise PromptTooLong(
            f"The prompt must have 1 to {length} tokens without any record.",
            field="messages",
            metadata={"tokens_max": str(length)},
        )
    rows = [tuple(public_ids)]
    rows += [_fitted(record, empty, render, length) for record in records]
    rows += [empty] * (policy.slots - len(records))
    live = np.arange(policy.slots) < len(records)
    return _padded(rows, length, pad_id, live)


def _fitted(
    record: str, empty: tuple[int, ...], render: Render, length: int
) -> tuple[int, ...]:
    """Return the longest rendering of a start of `record` that fits `length`."""
    # A lone surrogate is no text; replacing it keeps the tokenizer from failing.
    text = record.encode("utf-8", "replace").decode("utf-8")
    text = text[: _CHARACTERS_PER_TOKEN_MAX * length]
    whole = _rendered(text, empty, render)
    if len(whole) <= length:
        return whole
    best, low, high = empty, 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        attempt = _rendered(text[:middle], empty, render)
        if len(attempt) <= length:
            best, low = attempt, middle
        else:
            high = middle
    return best


def _rendered(text: str, empty: tuple[int, ...], render: Render) -> tuple[int, ...]:
    """Return the prompt with this text; without any where the text breaks rendering.

    What the public prompt and the empty record alone could break has failed before.
    """
    try:
        return tuple(render(text))
    except Exception:  # noqa: BLE001 - whatever it is, it would tell of the record.
        return empty


def _padded(
    rows: Sequence[tuple[int, ...]],
    length: int,
    pad_id: int,
    live: NDArray[np.bool_],
) -> PrivateRows:
    token_ids = np.full((len(rows), length), pad_id, dtype=np.int64)
    attention = np.zeros((len(rows), length), dtype=np.int64)
    for index, row in enumerate(rows):
        token_ids[index, length - len(row) :] = row
        attention[index, length - len(row) :] = 1
    return PrivateRows(token_ids, attention, live)
