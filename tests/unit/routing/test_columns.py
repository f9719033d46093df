"""Numbers in arrays are those of a dictionary, whoever comes and goes."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from federated_router.routing import columns
from federated_router.routing.columns import Column, Numbering, column_of
from federated_router.routing.moment import Moment
from federated_router.routing.roster import Roster
from tests.unit.routing.placing import candidate

KEYS = tuple(f"nodes/n{number}" for number in range(100))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "add", "all", "keep", "keep used", "scale"]),
        st.integers(0, len(KEYS) - 1),
        st.integers(-3, 9),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_column_holds_what_a_dictionary_would(
    steps: list[tuple[str, int, int]],
) -> None:
    """Also where its arrays grew, and where a number was another key's before."""
    found: Column[str, int] = Column(int)
    books = dict.fromkeys(KEYS, 0)

    for step, place, amount in steps:
        key, kept = KEYS[place], KEYS[: place + 1]
        _apply(found, step, place, amount)
        _write(books, step, key, kept, amount)

        assert found.of(KEYS).tolist() == [books[one] for one in KEYS]
        assert found == {one: number for one, number in books.items() if number}
        assert column_of(found, KEYS).tolist() == column_of(books, KEYS).tolist()


def _apply(found: Column[str, int], step: str, place: int, amount: int) -> None:
    """Change a column."""
    kept, places = KEYS[: place + 1], np.arange(place + 1)
    changes: dict[str, Callable[[], None]] = {
        "set": lambda: found.__setitem__(KEYS[place], amount),
        "add": lambda: found.add(KEYS[place], amount),
        "all": lambda: found.add_all(KEYS, np.full(place + 1, float(amount)), places),
        "keep": lambda: found.keep_only(kept),
        "keep used": lambda: found.keep_only(kept, used=True),
        "scale": lambda: found.scale(2.0),
    }
    changes[step]()


def _write(
    books: dict[str, int], step: str, key: str, kept: tuple[str, ...], amount: int
) -> None:
    """Do the same to a dictionary."""
    if step == "set":
        books[key] = amount
    elif step == "add":
        books[key] += amount
    for one in books:
        if step == "all" and one in kept:
            books[one] += amount
        elif step == "scale":
            books[one] *= 2
        elif step == "keep" and one not in kept:
            books[one] = 0


def test_rows_follow_who_comes_and_goes() -> None:
    """What is remembered of a tuple of keys holds only while no number changes."""
    numbering: Numbering[str] = Numbering()
    pair = ("a", "b")
    before = numbering.rows(pair).tolist()

    numbering.leave("a")
    numbering.enter("c")
    after = numbering.rows(pair).tolist()

    assert before == [1, 2]
    assert numbering.number("c") == 1
    assert after == [3, 2]


def test_names_that_come_and_go_take_no_more_room() -> None:
    """Nodes whose names are never the same again must not add up."""
    column: Column[str, float] = Column(float)

    for number in range(5000):
        column.add(f"nodes/{number}", 1.0)
        column.keep_only({f"nodes/{number}"})

    assert column.places == 1
    assert len(column._values) <= 64


def test_remembered_rows_stay_within_their_limit() -> None:
    """Every slate has keys of its own; those that are gone are not kept for ever."""
    numbering: Numbering[str] = Numbering()
    keys = ["a"]

    for _ in range(3 * columns.ROWS_MAX):
        # Equal tuples, each with an identity of its own.
        assert numbering.rows(tuple(keys)).tolist() == [1]
        assert len(numbering._rows) <= columns.ROWS_MAX


def test_counts_are_of_the_roster_that_is_asked_for() -> None:
    """An explanation reads many slates at one moment, and forgets each after use."""
    moment = Moment(in_flight={"nodes/n0": 7})

    found = [
        moment.running(Roster([candidate(f"nodes/n{place}")] * (place + 1))).tolist()
        for place in range(50)
    ]

    assert found == [[7.0], *([0.0] * (place + 1) for place in range(1, 50))]
