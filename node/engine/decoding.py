"""Draws the next token of each request from its row of logits.

Decides how repetition penalty, temperature, top-k and top-p shape the draw, in that
order, which is that of transformers; refuses to know slots and text. Each request
draws from a generator of its own, so that neighbours in a batch never change what it
gets. Private requests do not come here: their draw is the privacy mechanism.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from federated_router.kit.errors import Internal
from node.engine.engine import Sampling
from node.engine.limits import SEED_BITS
from node.engine.pieces import TokenLogprob

NOT_A_NUMBER = "The model's answer is not a number."


@dataclass(frozen=True, slots=True)
class Choice:
    """A drawn token, and how likely the model held it where that was asked for."""

    token_id: int
    logprob: TokenLogprob | None = None


class TokenDraw:
    """The sampler of one request; greedy where the temperature is 0.

    `prompt_ids` are penalised as drawn tokens are, where there is a penalty. The first
    tokens of the answer, `drawn_ids`, were drawn elsewhere: the generator goes on where
    it stands after them.
    """

    def __init__(
        self,
        sampling: Sampling,
        prompt_ids: Sequence[int] = (),
        drawn_ids: Sequence[int] = (),
    ) -> None:
        self._sampling = sampling
        self._generator: torch.Generator | None = None
        if sampling.temperature > 0:
            self._generator = seeded_generator(sampling.seed)
            for _ in drawn_ids:
                uniform_number(self._generator)
        self._seen: set[int] | None = None
        if sampling.repetition_penalty != 1:
            self._seen = {*prompt_ids, *drawn_ids}

    @property
    def takes_largest(self) -> bool:
        """Return whether the draw is the largest logit and nothing else is asked."""
        return (
            self._generator is None
            and self._seen is None
            and self._sampling.logprobs is None
        )

    def choose(self, logits: torch.Tensor) -> Choice:
        """Return a token for one row of logits (V,).

        Raises:
            Internal: the model returned something that is not a number.
        """
        # On the host and in double precision, so that every device draws alike.
        row = logits.to(device="cpu", dtype=torch.float64)
        if torch.isnan(row).any():
            raise Internal(NOT_A_NUMBER)
        token_id = self._drawn(self._penalised(row))
        if self._seen is not None:
            self._seen.add(token_id)
        if self._sampling.logprobs is None:
            return Choice(token_id)
        return Choice(token_id, token_logprob(row, token_id, self._sampling.logprobs))

    def _penalised(self, row: torch.Tensor) -> torch.Tensor:
        if self._seen is None:
            return row
        return penalise(row, self._seen, self._sampling.repetition_penalty)

    def _drawn(self, row: torch.Tensor) -> int:
        if self._generator is None:
            return int(row.argmax())
        shaped = row / self._sampling.temperature
        shaped = keep_top_k(shaped, self._sampling.top_k)
        shaped = keep_top_p(shaped, self._sampling.top_p)
        return drawn_by_mass(torch.softmax(shaped, dim=-1), self._generator)


def choose_all(
    draws: Sequence[TokenDraw], logits: torch.Tensor
) -> list[Choice | Exception]:
    """Return a choice for each row of logits (r, V), or what kept it from one.

    Rows that take the largest logit are chosen in one pass over all of them.
    """
    largest, numbers = logits.argmax(dim=-1).tolist(), is_number(logits).tolist()
    chosen: list[Choice | Exception] = []
    for at, draw in enumerate(draws):
        if not numbers[at]:
            chosen.append(Internal(NOT_A_NUMBER))
        elif draw.takes_largest:
            chosen.append(Choice(largest[at]))
        else:
            chosen.append(_chosen(draw, logits[at]))
    return chosen


def _chosen(draw: TokenDraw, row: torch.Tensor) -> Choice | Exception:
    try:
        return draw.choose(row)
    except Exception as failure:  # noqa: BLE001 - reported to the row's caller.
        return failure


def is_number(logits: torch.Tensor) -> torch.Tensor:
    """Return for each row of (r, V) whether it holds no NaN: (r,).

    A NaN is the maximum of every row that holds one, which spares a mask of (r, V).
    """
    return ~logits.amax(dim=-1).isnan()


def seeded_generator(seed: int | None) -> torch.Generator:
    """Return a generator of its own; without a seed, one that none can foresee."""
    generator = torch.Generator()
    chosen = secrets.randbits(SEED_BITS) if seed is None else seed % 2**SEED_BITS
    return generator.manual_seed(chosen)


def uniform_number(generator: torch.Generator) -> torch.Tensor:
    """Return the one number that a drawn token takes, in [0, 1)."""
    return torch.rand((), generator=generator, dtype=torch.float64)


def drawn_by_mass(weights: torch.Tensor, generator: torch.Generator) -> int:
    """Return an index drawn with probability `weights` (V,), by one uniform number.

    Inversion of the cumulated mass: one number for a token of any vocabulary, and
    weights that differ in their last bits give the same index unless the number falls
    between them. An index of weight 0 is never drawn.
    """
    mass = weights.cumsum(dim=-1)
    uniform = uniform_number(generator)
    at = int(torch.searchsorted(mass, uniform * mass[-1], right=True))
    if at < len(mass):
        return at
    # The product was rounded up to the whole mass.
    return int(weights.nonzero()[-1])


def penalise(
    logits: torch.Tensor, seen: set[int], repetition_penalty: float
) -> torch.Tensor:
    """Return logits (V,) with those of `seen` tokens made less likely.

    Positive ones are divided by the penalty, negative ones multiplied (Keskar et al.,
    2019, with the sign as in transformers' RepetitionPenaltyLogitsProcessor).
    """
    at = torch.tensor(sorted(seen), dtype=torch.long)
    held = logits[at]
    changed = torch.where(
        held < 0, held * repetition_penalty, held / repetition_penalty
    )
    return logits.index_copy(0, at, changed)


def keep_top_k(logits: torch.Tensor, top_k: int) -> torch.Tensor:
    """Return the logits with all but the `top_k` largest at minus infinity."""
    if top_k == 0 or top_k >= logits.shape[-1]:
        return logits
    threshold = torch.topk(logits, top_k).values[-1]
    return logits.masked_fill(logits < threshold, -torch.inf)


def keep_top_p(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return the logits with only the fewest that reach mass `top_p`, at least one."""
    if top_p >= 1:
        return logits
    ordered, order = torch.sort(logits, descending=True)
    weights = torch.softmax(ordered, dim=-1)
    before = weights.cumsum(dim=-1) - weights
    dropped = order[before >= top_p]
    return logits.index_fill(0, dropped, -torch.inf)


def token_logprob(
    logits: torch.Tensor, token_id: int, alternatives: int
) -> TokenLogprob:
    """Return how likely one row of logits (V,) held a token, and the likeliest ones.

    Natural logarithms of the softmax of the model's own logits, before any shaping.
    """
    row = torch.log_softmax(logits, dim=-1)
    values, token_ids = row.topk(min(alternatives, row.shape[-1]))
    likeliest = tuple(zip(token_ids.tolist(), values.tolist(), strict=True))
    return TokenLogprob(token_id, float(row[token_id]), likeliest)
