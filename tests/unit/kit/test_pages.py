"""Pages put together are the whole, in order, whatever their size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.kit.pages import (
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    page_of,
    page_size_of,
)

NAMES = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=60).map(sorted)


def pages(items: list[str], *, size: int) -> list[list[str]]:
    """Return every page, as a client fetches them."""
    found: list[list[str]] = []
    token = ""
    while True:
        page, token = page_of(items, str, size=size, token=token)
        found.append(list(page))
        if not token:
            return found


@given(items=NAMES, size=st.integers(min_value=1, max_value=70))
def test_pages_concatenated_are_the_whole(items: list[str], size: int) -> None:
    """Nothing is lost, repeated or reordered between pages."""
    fetched = pages(items, size=size)

    assert [item for page in fetched for item in page] == items
    assert all(len(page) == size for page in fetched[:-1])


@given(items=NAMES.filter(bool), gone=st.data())
def test_item_that_vanishes_between_pages_hides_no_other(
    items: list[str], gone: st.DataObject
) -> None:
    """The token is a key and not a position, so a removal shifts nothing."""
    first, token = page_of(items, str, size=1, token="")
    lost = gone.draw(st.sampled_from(items))
    left = [item for item in items if item != lost]

    rest, _ = page_of(left, str, size=1000, token=token or items[0])

    assert list(rest) == [item for item in left if item > first[0]]


def test_last_full_page_has_no_successor() -> None:
    """An empty page at the end would cost every client one more call."""
    page, token = page_of(["a", "b"], str, size=2, token="")

    assert (list(page), token) == (["a", "b"], "")


@pytest.mark.parametrize(
    ("asked", "given_"),
    [
        (0, PAGE_SIZE_DEFAULT),
        (1, 1),
        (PAGE_SIZE_MAX, PAGE_SIZE_MAX),
        (PAGE_SIZE_MAX + 1, PAGE_SIZE_MAX),
        (2**31 - 1, PAGE_SIZE_MAX),
    ],
)
def test_size_has_a_default_and_a_maximum(asked: int, given_: int) -> None:
    """The contract: 0 is 50, at most 1000."""
    assert page_size_of(asked) == given_


def test_negative_size_is_refused() -> None:
    """AIP-158: an error, and not the default."""
    with pytest.raises(FieldInvalid) as raised:
        page_of(["a"], str, size=-1, token="")

    assert raised.value.metadata["field"] == "page_size"
