"""The public part of a request, as far as features and patterns look at it.

Decides how much text is read: enough to tell a kind of request, and never more than a
fixed number of characters, because this runs for every request. Refuses to know roles,
messages and private records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

READ_CHARACTERS_MAX: Final = 1024
"""Characters of the last user message that are read: half of them from either end."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a user asked last, and how much was said.

    `text` is the beginning and the end of the last message, at most
    READ_CHARACTERS_MAX characters and a line break. `characters` counts all of the
    user's messages, `turns` how many there are.
    """

    text: str = field(repr=False)
    characters: int
    turns: int


def prompt_of(user_messages: Sequence[str]) -> Prompt:
    """Return the prompt of a user's messages, oldest first; none give an empty one."""
    last = user_messages[-1] if user_messages else ""
    half = READ_CHARACTERS_MAX // 2
    if len(last) > READ_CHARACTERS_MAX:
        last = f"{last[:half]}\n{last[-half:]}"
    return Prompt(
        text=last,
        characters=sum(map(len, user_messages)),
        turns=len(user_messages),
    )
