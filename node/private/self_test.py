"""The start-up proof that one row's content cannot move another row's logits.

Decides whether this node, with this model, these kernels and this policy's shape, may
offer private decoding; refuses to know requests and records. The bound of the token
mechanism holds only for independent rows: with bfloat16 and padding to the longest row,
one longer record moved the others by more than the whole allowed sensitivity.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from federated_router.kit.errors import PrivateNotOffered
from federated_router.privacy.policy import PrivatePolicy
from node.private.rows import PrivateRows
from node.private.session import RowDecoder

DECODE_STEPS = 4
_SEED = 20250


class Disturbance(Enum):
    """What was done to a row while the others stayed as they were."""

    REPLACED = "replaced"  # Other content of the same length.
    LENGTHENED = "lengthened"  # Content that fills the whole row.
    SHORTENED = "shortened"  # A single token.
    REPEATED = "repeated"  # One token over and over: the most unlike text.
    SWAPPED = "swapped"  # Two rows exchanged.


@dataclass(frozen=True, slots=True)
class Coupling:
    """One row whose logits changed although only other rows were disturbed."""

    disturbance: Disturbance
    step: int
    row: int
    difference_max: float


@dataclass(frozen=True, slots=True)
class IndependenceReport:
    """What the self-test compared and the first coupling it found, if any."""

    rows: int
    row_tokens: int
    decode_steps: int
    comparisons: int
    coupling: Coupling | None

    @property
    def independent(self) -> bool:
        """Return whether every comparison was equal bit for bit."""
        return self.coupling is None


def check_row_independence(
    model: PreTrainedModel,
    policy: PrivatePolicy,
    *,
    decode_steps: int = DECODE_STEPS,
) -> IndependenceReport:
    """Disturb rows and compare all the others' logits, bit for bit.

    Runs at the policy's own shape, since kernels are chosen by shape, through the
    decoder that private sessions use: prefill and `decode_steps` further passes for
    the undisturbed rows and for each disturbance.
    """
    vocabulary = int(model.config.vocab_size)
    lengths = _half_filled(policy)
    quiet = _rows(policy, lengths, _contents(policy, vocabulary))
    forced = [1 + step % (vocabulary - 1) for step in range(decode_steps)]
    expected = _trace(model, quiet, forced)
    comparisons = 0
    coupling: Coupling | None = None
    for disturbance, disturbed, touched in _disturbances(policy, vocabulary, quiet):
        observed = _trace(model, disturbed, forced)
        others = [row for row in range(policy.slots + 1) if row not in touched]
        comparisons += len(others) * len(expected)
        coupling = _first_difference(disturbance, expected, observed, others)
        if coupling is not None:
            break
    return IndependenceReport(
        rows=policy.slots + 1,
        row_tokens=policy.row_tokens_max,
        decode_steps=decode_steps,
        comparisons=comparisons,
        coupling=coupling,
    )


def require_row_independence(report: IndependenceReport) -> None:
    """Raise PrivateNotOffered where the self-test found coupled rows."""
    if report.coupling is None:
        return
    raise PrivateNotOffered(
        "On this node one row of a batch changes another's logits, so private decoding "
        "would not be private; use another model, precision or device.",
        metadata={
            "disturbance": report.coupling.disturbance.value,
            "step": str(report.coupling.step),
        },
    )


def _half_filled(policy: PrivatePolicy) -> list[int]:
    """Return row lengths around half of the public length, none of them full."""
    half = max(1, policy.row_tokens_max // 2)
    return [max(1, half - row % 5) for row in range(policy.slots + 1)]


def _contents(policy: PrivatePolicy, vocabulary: int) -> NDArray[np.int64]:
    """Return the test's own public token ids; nothing here needs to be secret."""
    generator = np.random.default_rng(_SEED)
    shape = (policy.slots + 1, policy.row_tokens_max)
    return generator.integers(0, vocabulary, size=shape, dtype=np.int64)


def _rows(
    policy: PrivatePolicy, lengths: list[int], contents: NDArray[np.int64]
) -> PrivateRows:
    columns = np.arange(policy.row_tokens_max)
    starts = policy.row_tokens_max - np.array(lengths)
    attention = (columns[None, :] >= starts[:, None]).astype(np.int64)
    live = np.ones(policy.slots, dtype=np.bool_)
    return PrivateRows(contents * attention, attention, live)


def _disturbances(
    policy: PrivatePolicy, vocabulary: int, quiet: PrivateRows
) -> Iterator[tuple[Disturbance, PrivateRows, frozenset[int]]]:
    """Yield disturbed rows and which of them were touched, in the slots only."""
    full = policy.row_tokens_max
    target, last = 1 + (policy.slots - 1) // 2, policy.slots
    fresh = (_contents(policy, vocabulary)[0] + 1) % vocabulary
    same_length = int(quiet.attention[target].sum())
    repeated = np.full(full, vocabulary - 1, dtype=np.int64)
    for disturbance, row, content, length in (
        (Disturbance.REPLACED, target, fresh, same_length),
        (Disturbance.LENGTHENED, last, fresh, full),
        (Disturbance.SHORTENED, 1, fresh, 1),
        (Disturbance.REPEATED, target, repeated, full),
    ):
        yield disturbance, _with_row(quiet, row, content, length), frozenset({row})
    if last > 1:
        order = np.arange(policy.slots + 1)
        order[[1, last]] = order[[last, 1]]
        swapped = PrivateRows(
            quiet.token_ids[order], quiet.attention[order], quiet.live
        )
        yield Disturbance.SWAPPED, swapped, frozenset({1, last})


def _with_row(
    quiet: PrivateRows, row: int, content: NDArray[np.int64], length: int
) -> PrivateRows:
    token_ids, attention = quiet.token_ids.copy(), quiet.attention.copy()
    attention[row] = 0
    attention[row, attention.shape[1] - length :] = 1
    token_ids[row] = content * attention[row]
    return PrivateRows(token_ids, attention, quiet.live)


def _trace(
    model: PreTrainedModel, rows: PrivateRows, forced: list[int]
) -> list[torch.Tensor]:
    """Return the logits of prefill and of each forced token, every row."""
    decoder = RowDecoder(model, rows)
    try:
        trace = [decoder.forward()]
        for token_id in forced:
            decoder.append(token_id)
            trace.append(decoder.forward())
    finally:
        decoder.release()
    return trace


def _first_difference(
    disturbance: Disturbance,
    expected: list[torch.Tensor],
    observed: list[torch.Tensor],
    others: list[int],
) -> Coupling | None:
    """Compare as bytes, so that -0.0, NaN and every last bit count."""
    for step, (before, after) in enumerate(zip(expected, observed, strict=True)):
        for row in others:
            left, right = before[row], after[row]
            if not torch.equal(left.view(torch.uint8), right.view(torch.uint8)):
                difference = (left.double() - right.double()).abs().max().item()
                return Coupling(disturbance, step, row, difference)
    return None
