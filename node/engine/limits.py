"""What a request to an engine may be, checked before any work is done.

Decides the refusals that every engine shares; refuses to know models and threads.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from federated_router.kit.errors import FieldInvalid, PromptTooLong
from node.engine.engine import ChatMessage, Sampling

ROLES = frozenset({"system", "user", "assistant"})
STOP_STRINGS_MAX = 16
STOP_CHARACTERS_MAX = 256
SEED_BITS = 64
REPETITION_PENALTY_MAX = 2.0
LOGPROBS_MAX = 20
AGEING_S = 10.0
"""By how much longer a request must have waited to go before one that is a level more
urgent."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How many requests an engine takes at once.

    `slots` public requests run at once beside `private_slots` private ones;
    `waiting_max` more may wait, of either kind. A waiting request goes before a more
    urgent one that came `ageing_s` seconds per level of urgency after it, or later.
    """

    slots: int
    private_slots: int
    waiting_max: int
    ageing_s: float = AGEING_S

    def __post_init__(self) -> None:
        """Refuse limits with which no request could ever run.

        Raises:
            ValueError: a limit is too small.
        """
        if self.slots < 1 or self.private_slots < 1 or self.waiting_max < 0:
            raise ValueError(
                "slots and private_slots must be 1 or more, waiting_max 0 or more"
            )
        if not self.ageing_s >= 0:
            raise ValueError("ageing_s must be 0 or more")


def check_prompt(
    prompt_ids: Sequence[int],
    sampling: Sampling,
    *,
    context_tokens_max: int,
    vocabulary_size: int,
) -> None:
    """Refuse a prompt that the model cannot take.

    Raises:
        FieldInvalid: the prompt is empty or holds an id outside the vocabulary.
        PromptTooLong: prompt plus `tokens_max` exceed the context.
    """
    if not prompt_ids:
        raise FieldInvalid("Send at least one token.", field="prompt")
    if min(prompt_ids) < 0 or max(prompt_ids) >= vocabulary_size:
        raise FieldInvalid(
            f"Send token ids from 0 to {vocabulary_size - 1}.", field="prompt"
        )
    wanted = len(prompt_ids) + sampling.tokens_max
    if wanted > context_tokens_max:
        raise PromptTooLong(
            f"Prompt and answer need {wanted} tokens, the context holds "
            f"{context_tokens_max}; shorten the prompt or lower tokens_max.",
            field="prompt",
            metadata={
                "prompt_tokens": str(len(prompt_ids)),
                "tokens_max": str(sampling.tokens_max),
                "context_tokens_max": str(context_tokens_max),
            },
        )


def check_sampling(sampling: Sampling) -> None:
    """Refuse sampling parameters that have no meaning.

    Raises:
        FieldInvalid: one of them is out of range; `field` names it.
    """
    if sampling.tokens_max < 1:
        raise FieldInvalid("Ask for at least one token.", field="tokens_max")
    if not math.isfinite(sampling.temperature) or sampling.temperature < 0:
        raise FieldInvalid("Use a temperature of 0 or more.", field="temperature")
    if sampling.top_k < 0:
        raise FieldInvalid("Use a top_k of 0 (off) or more.", field="top_k")
    if not 0 < sampling.top_p <= 1:
        raise FieldInvalid("Use a top_p above 0 and at most 1.", field="top_p")
    if sampling.seed is not None and sampling.seed.bit_length() > SEED_BITS:
        raise FieldInvalid(f"Use a seed of at most {SEED_BITS} bits.", field="seed")
    if not 0 < sampling.repetition_penalty <= REPETITION_PENALTY_MAX:
        raise FieldInvalid(
            f"Use a penalty above 0 and at most {REPETITION_PENALTY_MAX:g}; 1 is off.",
            field="repetition_penalty",
        )
    if sampling.logprobs is not None and not 0 <= sampling.logprobs <= LOGPROBS_MAX:
        raise FieldInvalid(
            f"Ask for 0 to {LOGPROBS_MAX} alternatives.", field="logprobs"
        )
    check_stop(sampling.stop)


def check_stop(stop: Sequence[str]) -> None:
    """Refuse stop strings that would never or always match, or are too many.

    Raises:
        FieldInvalid: always naming the field `stop`.
    """
    if len(stop) > STOP_STRINGS_MAX:
        raise FieldInvalid(
            f"Send at most {STOP_STRINGS_MAX} stop strings.", field="stop"
        )
    if any(not 1 <= len(text) <= STOP_CHARACTERS_MAX for text in stop):
        raise FieldInvalid(
            f"Send stop strings of 1 to {STOP_CHARACTERS_MAX} characters.",
            field="stop",
        )


def check_messages(messages: Sequence[ChatMessage]) -> None:
    """Refuse a chat that no template can render.

    Raises:
        FieldInvalid: there is no message, or a role is unknown.
    """
    if not messages:
        raise FieldInvalid("Send at least one message.", field="messages")
    if any(message.role not in ROLES for message in messages):
        raise FieldInvalid(
            f"Use one of the roles {', '.join(sorted(ROLES))}.", field="messages.role"
        )
