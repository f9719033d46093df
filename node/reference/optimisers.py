"""How weights are moved: Muon for matrices, AdamW for the rest, one schedule for both.

Decides rates; refuses to know what is learnt. Orthogonalised steps (Muon, Jordan et
al. 2024) reach the same loss in about two thirds of AdamW's steps on these models.
"""

from collections.abc import Iterable

import torch
from torch.optim.lr_scheduler import LambdaLR

from node.reference.plans import Rates

_MATRIX_DIMENSIONS = 2
_WARM_UP_SHARE = 20
_FALL_SHARE = 2
_RATE_MIN = 0.02


class Optimisers:
    """Both optimisers, stepped together; the order is backward, then `step`."""

    def __init__(self, model: torch.nn.Module, rates: Rates, *, steps: int) -> None:
        matrices, others = split_parameters(model.named_parameters())
        self._optimisers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(
                matrices,
                lr=rates.matrices,
                weight_decay=0.0,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                others, lr=rates.others, betas=(0.9, 0.98), weight_decay=0.01
            ),
        )
        self._schedules = [
            LambdaLR(found, lambda done: rate_at(done + 1, steps))
            for found in self._optimisers
        ]

    def step(self) -> None:
        """Move the weights by their gradients, forget these, follow the schedule."""
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        for schedule in self._schedules:
            schedule.step()


def split_parameters(
    named: Iterable[tuple[str, torch.nn.Parameter]],
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """Return the hidden layers' matrices, and embeddings and vectors."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in named:
        hidden = parameter.ndim == _MATRIX_DIMENSIONS and ".layers." in name
        (matrices if hidden else others).append(parameter)
    return matrices, others


def rate_at(step: int, steps: int) -> float:
    """Return the share of the full rate at `step`, from 1: rise, plateau, fall."""
    warm_up = max(1, steps // _WARM_UP_SHARE)
    fall_from = steps // _FALL_SHARE
    if step <= warm_up:
        return step / warm_up
    if step <= fall_from:
        return 1.0
    return max(_RATE_MIN, (steps - step) / (steps - fall_from))
