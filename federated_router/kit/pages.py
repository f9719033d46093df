"""Pagination: one rule for every List method (AIP-158)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from federated_router.kit.errors import FieldInvalid

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000
Item = TypeVar("Item")


def page_size_of(requested: int) -> int:
    """Return the page size in force; raise FieldInvalid for a negative one."""
    if requested < 0:
        raise FieldInvalid("Ask for 0 or more.", field="page_size")
    return min(requested or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def page_of(
    items: Sequence[Item], key: Callable[[Item], str], *, size: int, token: str
) -> tuple[Sequence[Item], str]:
    """Return the page of `items` (sorted by `key`) after `token`, and the next token.

    The token is the last key of the page before.
    """
    count = page_size_of(size)
    rest = [item for item in items if key(item) > token]
    page = rest[:count]
    return page, key(page[-1]) if len(rest) > count else ""
