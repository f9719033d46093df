"""Sealed shares turned around: each holder gets its own, each row is read once."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.rounds.spool import Spool
from federated_router.kit.errors import StoreUnavailable

SIZE: Final = 5
HOLDERS: Final = 10
DEALERS: Final = 7


def share(dealer: int, holder: int) -> bytes:
    """Return what a dealer sealed to a holder."""
    return bytes([dealer, holder, dealer ^ holder, 1, 2])


class Rows:
    """Dealers' rows of `step` neighbouring holders; notes which were read."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.read: list[int] = []

    async def __call__(self, first: int) -> Sequence[bytes]:
        """Return the rows that begin with the holder at `first`."""
        self.read.append(first)
        holders = range(first, min(first + self.step, HOLDERS))
        return [
            b"".join(share(dealer, holder) for holder in holders)
            for dealer in range(DEALERS)
        ]


async def read(spool: Spool, rows: Rows, place: int, *, name: str = "r1") -> bytes:
    """Return what the spool gives the holder at `place`."""
    first = place - place % rows.step
    return await spool.read(name, place, size=SIZE, first_place=first, rows=rows)


def expected(holder: int) -> bytes:
    """Return every dealer's share for one holder."""
    return b"".join(share(dealer, holder) for dealer in range(DEALERS))


@given(order=st.permutations(range(HOLDERS)), seeded=st.integers(1, HOLDERS - 1))
def test_holders_of_short_and_of_long_shares_get_their_own(
    order: Sequence[int], seeded: int
) -> None:
    """Half of a roster is sent seeds, which are shorter than shares, in rows alone."""
    short = 2

    async def rows(first: int) -> Sequence[bytes]:
        size = short if first < seeded else SIZE
        return [share(dealer, first)[:size] for dealer in range(DEALERS)]

    async def all_read() -> dict[int, bytes]:
        spool = Spool()
        return {
            place: await spool.read(
                "r1",
                place,
                size=short if place < seeded else SIZE,
                first_place=place,
                rows=rows,
            )
            for place in (*order, *order)
        }

    found = asyncio.run(all_read())

    assert found == {
        place: b"".join(
            share(dealer, place)[: short if place < seeded else SIZE]
            for dealer in range(DEALERS)
        )
        for place in range(HOLDERS)
    }


@given(
    step=st.integers(1, HOLDERS + 1),
    order=st.permutations(range(HOLDERS)),
)
def test_every_holder_gets_its_column_in_any_order(
    step: int, order: Sequence[int]
) -> None:
    """Also the last row, which has fewer holders, and a holder that asks twice."""

    async def all_read() -> tuple[list[bytes], Rows]:
        spool, rows = Spool(), Rows(step)
        asked = [*order, order[0]]
        return await asyncio.gather(*(read(spool, rows, one) for one in asked)), rows

    found, rows = asyncio.run(all_read())

    assert found == [expected(one) for one in (*order, order[0])]
    assert len(rows.read) == len(set(rows.read)) == -(-HOLDERS // step)


async def test_another_round_reads_its_own_rows() -> None:
    """Nothing of a round may be handed out in the next one."""
    spool, rows = Spool(), Rows(4)
    await read(spool, rows, 0)

    await read(spool, rows, 0, name="r2")

    assert rows.read == [0, 0]


async def test_cleared_spool_keeps_no_file_and_reads_again() -> None:
    """Sealed shares go when their round ends."""
    spool, rows = Spool(), Rows(4)
    await read(spool, rows, 5)
    assert spool._file is not None
    descriptor = spool._file.fileno()

    await spool.clear()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert await read(spool, rows, 5) == expected(5)
    assert rows.read == [4, 4]


async def test_file_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else opens it, and a killed coordinator leaves nothing behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()

    await read(spool, Rows(4), 0)

    assert list(tmp_path.iterdir()) == []


async def test_missing_directory_is_an_outage_and_not_an_empty_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder would take nothing for shares that did not open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    spool, rows = Spool(), Rows(4)

    with pytest.raises(StoreUnavailable):
        await read(spool, rows, 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert await read(spool, rows, 0) == expected(0)


async def test_rows_that_cannot_be_read_are_read_again() -> None:
    """A store that was away for a moment must not leave a hole."""
    spool, rows = Spool(), Rows(4)

    async def away(_: int) -> Sequence[bytes]:
        raise StoreUnavailable("The database did not answer.")

    with pytest.raises(StoreUnavailable):
        await spool.read("r1", 0, size=SIZE, first_place=0, rows=away)

    assert await read(spool, rows, 0) == expected(0)
