"""The tensors of a pass: token ids, their positions, and the columns they write to.

Decides how rows become lines of equal length; refuses to know slots and models. Pure.
"""

from collections.abc import Collection, Sequence

import torch

from node.engine.rows import Row

PassTensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Ids, positions and columns, each (r, q)."""


def parts_of(
    group: Sequence[Row], parts: Sequence[int], *, scratch: int
) -> PassTensors:
    """Return so many of each row's next tokens, padded on the left with scratch."""
    longest = max(parts)
    ids = torch.zeros((len(group), longest), dtype=torch.long)
    positions = torch.zeros_like(ids)
    columns = torch.full_like(ids, scratch)
    for at, (row, part) in enumerate(zip(group, parts, strict=True)):
        start, end = row.held, row.held + part
        ids[at, longest - part :] = torch.tensor(row.token_ids[start:end])
        positions[at, longest - part :] = torch.arange(start, end)
        columns[at, longest - part :] = torch.arange(start, end)
    return ids, positions, columns


def last_tokens(
    span: Sequence[Row], wanted: Collection[int], *, scratch: int
) -> PassTensors:
    """Return the last token of each row; one whose place is not wanted does nothing."""
    lines = [
        (row.token_ids[-1], row.held, row.held)
        if row.place in wanted
        else (0, 0, scratch)
        for row in span
    ]
    ids, positions, columns = torch.tensor(lines).T[:, :, None]
    return ids, positions, columns
