"""Draws the next token of one request from its row of logits.

Decides how temperature, top-k and top-p shape the draw; refuses to know batches. Each
request draws from a generator of its own, so that neighbours in a batch never change
what it gets. Private requests do not come here: their draw is the privacy mechanism.
"""

import secrets

import torch

from federated_router.kit.errors import Internal
from node.engine.engine import Sampling
from node.engine.limits import SEED_BITS


class TokenDraw:
    """The sampler of one request; greedy where the temperature is 0."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator: torch.Generator | None = None
        if sampling.temperature > 0:
            self._generator = seeded_generator(sampling.seed)

    def choose(self, logits: torch.Tensor) -> int:
        """Return a token id for one row of logits (V,).

        Raises:
            Internal: the model returned something that is not a number.
        """
        if torch.isnan(logits).any():
            raise Internal("The model's answer is not a number.")
        if self._generator is None:
            return int(logits.argmax())
        # On the host and in double precision, so that every device draws alike.
        shaped = logits.to(device="cpu", dtype=torch.float64)
        shaped = shaped / self._sampling.temperature
        shaped = keep_top_k(shaped, self._sampling.top_k)
        shaped = keep_top_p(shaped, self._sampling.top_p)
        weights = torch.softmax(shaped, dim=-1)
        drawn = torch.multinomial(weights, 1, generator=self._generator)
        return int(drawn)


def seeded_generator(seed: int | None) -> torch.Generator:
    """Return a generator of its own; without a seed, one that none can foresee."""
    generator = torch.Generator()
    chosen = secrets.randbits(SEED_BITS) if seed is None else seed % 2**SEED_BITS
    return generator.manual_seed(chosen)


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
