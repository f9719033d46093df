"""No part of a stop string is ever shown, however the text is cut."""

from hypothesis import given
from hypothesis import strategies as st

from node.engine.stop_scanner import StopScanner

LETTERS = st.text(alphabet="abc", max_size=40)
STOPS = st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3)


def shown_before(text: str, stops: list[str]) -> str:
    """Return the text before the stop string that is complete first.

    Of two that end together, the one that begins first counts.
    """
    for end in range(len(text) + 1):
        begins = [end - len(s) for s in stops if text[:end].endswith(s)]
        if begins:
            return text[: min(begins)]
    return text


@given(text=LETTERS, stops=STOPS)
def test_letter_by_letter_shows_all_before_the_first_stop(
    text: str, stops: list[str]
) -> None:
    """Tokens cut text anywhere; the rule must not depend on where."""
    scanner = StopScanner(stops)

    shown = "".join(scanner.feed(letter) for letter in text) + scanner.flush()

    assert shown == shown_before(text, stops)
    assert scanner.stopped == any(stop in text for stop in stops)


@given(parts=st.lists(LETTERS, max_size=6), stops=STOPS)
def test_what_is_shown_never_holds_a_stop_string(
    parts: list[str], stops: list[str]
) -> None:
    """Whatever arrives in one piece, nothing shown holds a whole stop string."""
    scanner = StopScanner(stops)

    shown = "".join(scanner.feed(part) for part in parts) + scanner.flush()

    assert not any(stop in shown for stop in stops)
    assert "".join(parts).startswith(shown)


def test_text_that_cannot_become_a_stop_string_is_not_held_back() -> None:
    """A reader sees text as soon as it is safe, not at the end."""
    scanner = StopScanner(("END",))

    assert scanner.feed("word E") == "word "
    assert scanner.feed("x") == "Ex"
