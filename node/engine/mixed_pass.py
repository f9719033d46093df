"""One pass for those who decode and for short prompts that come meanwhile.

Decides when they go together. Such a pass has a line of its own for each token, so a
prompt of ten tokens is ten lines over the same slot, and no line is padded; but lines
read their slots as copies, where a pass over whole places reads a view. It is worth it
where the copies cost less than the second pass, which reads all weights once more and
has costs of its own, whatever its size. Refuses to know models. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.engine.rows import Row

PROMPT_TOKENS_MAX = 32
"""Each token is a line of the model's head too, and of a prompt only one counts."""

_COPIED_BYTES = 16 * 2**20
_COPIED_SHARE_OF_WEIGHTS = 0.125


@dataclass(frozen=True, slots=True)
class Lines:
    """The tokens of a pass, one to a line; `ends` says where each row's last one is."""

    rows: list[Row]
    token_ids: list[int]
    positions: list[int]
    ends: list[int]


def lines_of(rows: Sequence[Row]) -> Lines:
    """Return all that the rows miss."""
    lines = Lines([], [], [], [])
    for row in rows:
        positions = range(row.held, len(row.token_ids))
        lines.rows.extend([row] * len(positions))
        lines.token_ids.extend(row.token_ids[row.held :])
        lines.positions.extend(positions)
        lines.ends.append(len(lines.rows) - 1)
    return lines


@dataclass(frozen=True, slots=True)
class Mixing:
    """When a model's passes are mixed.

    At most `prompt_tokens_max` are read with those who decode, and never more than
    PROMPT_TOKENS_MAX.
    """

    weights_bytes: int
    prompt_tokens_max: int

    def is_worth(
        self, ready: Sequence[Row], group: Sequence[Row], *, column_bytes: int
    ) -> bool:
        """Return whether the prompts of `group` should join those `ready` to decode.

        `column_bytes` are the keys and values of one position in all layers.
        """
        prompt_tokens = sum(row.missing for row in group)
        if not ready or not group:
            return False
        if prompt_tokens > min(self.prompt_tokens_max, PROMPT_TOKENS_MAX):
            return False
        columns = max(len(row.token_ids) for row in (*ready, *group))
        copied = (len(ready) + prompt_tokens) * columns * column_bytes
        return copied <= max(
            _COPIED_BYTES, _COPIED_SHARE_OF_WEIGHTS * self.weights_bytes
        )
