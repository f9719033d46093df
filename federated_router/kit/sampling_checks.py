"""What may be asked of sampling, at the router and at a node alike.

Decides the bounds of public requests and what a private request may not set, each with
its reason; refuses to know models, policies and deployments' own limits. Both daemons
ask here, so that whoever reaches a node directly is refused the same things.
"""

from types import MappingProxyType
from typing import Final

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import FieldInvalid, NotPrivatelyServable

TEMPERATURE_MAX: Final = 2.0
REPETITION_PENALTY_MAX: Final = 2.0
LOGPROBS_MAX: Final = 20
_PATH: Final = "generation.sampling"
_PRIORITIES: Final = frozenset(pb.Priority.values())

_NOT_PRIVATE: Final = MappingProxyType(
    {
        "temperature": "The policy fixes it; 0 (greedy) would hide no record at all",
        "top_k": "The policy fixes the candidates",
        "top_p": "Candidates that depend on records would tell of them",
        "seed": "Whoever knows the seed can undo the randomness that hides a record",
        "repetition_penalty": "The policy fixes how logits are shaped and bounded",
        "logprobs": "Probabilities would tell of the records what no charge covers",
    }
)
_NOT_PRIVATELY_MANY: Final = MappingProxyType(
    {
        "answers": "Each answer is a release of its own; send a request for each",
        "beams": "A search compares continuations that no charge covers",
    }
)
_ONE_ONLY: Final = MappingProxyType(
    {
        "answers": "One answer is served to a request; ask again for another.",
        "beams": "Beams are not searched; ask again with a seed to compare answers.",
    }
)


def check_sampling(sampling: pb.Sampling) -> None:
    """Raise FieldInvalid for the first field outside its bounds."""
    if not 0 <= sampling.temperature <= TEMPERATURE_MAX:
        raise _invalid("temperature", f"Use 0 (greedy) to {TEMPERATURE_MAX}.")
    if sampling.top_k < 0:
        raise _invalid("top_k", "Use 0 (off) or more.")
    if sampling.HasField("top_p") and not 0 < sampling.top_p <= 1:
        raise _invalid("top_p", "Use a probability above 0 and at most 1.")
    penalty = sampling.repetition_penalty
    if sampling.HasField("repetition_penalty") and not (
        0 < penalty <= REPETITION_PENALTY_MAX
    ):
        raise _invalid(
            "repetition_penalty",
            f"Use a factor above 0 and at most {REPETITION_PENALTY_MAX}; 1 is off.",
        )
    if not 0 <= sampling.logprobs <= LOGPROBS_MAX:
        raise _invalid("logprobs", f"Ask for 0 to {LOGPROBS_MAX} alternatives.")
    _check_one_only(sampling)


def check_private_sampling(sampling: pb.Sampling) -> None:
    """Raise NotPrivatelyServable, with its reason, for what the policy fixes."""
    for field, why in _NOT_PRIVATE.items():
        if sampling.HasField(field):
            raise _not_private(field, f"{why}; leave '{field}' out.")
    for field, why in _NOT_PRIVATELY_MANY.items():
        if getattr(sampling, field) > 1:
            raise _not_private(field, f"{why}; '{field}' may only be 1.")


def check_priority(generation: pb.Generation) -> None:
    """Raise FieldInvalid for a priority that the contract does not know."""
    if generation.priority not in _PRIORITIES:
        raise FieldInvalid(
            "Use one of the priorities of the contract.", field="generation.priority"
        )


def _check_one_only(sampling: pb.Sampling) -> None:
    for field, message in _ONE_ONLY.items():
        if sampling.HasField(field) and getattr(sampling, field) != 1:
            raise _invalid(field, message)


def _invalid(field: str, message: str) -> FieldInvalid:
    return FieldInvalid(message, field=f"{_PATH}.{field}")


def _not_private(field: str, message: str) -> NotPrivatelyServable:
    return NotPrivatelyServable(message, field=f"{_PATH}.{field}")
