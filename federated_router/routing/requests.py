"""A request's public features, as routing looks at them.

Decides what of a message is public and shared with other requests (a query), and what
is of it alone (a shape). Private records are never read here.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Final

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.choice.choosing import NO_WISHES, Wishes
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import resource_id
from federated_router.priors.prompt import Prompt, prompt_of
from federated_router.registry.membership import AUTO
from federated_router.routing.candidate import RouteQuery, Shape
from federated_router.routing.moving_scorers import BLOCK_BYTES, BYTES_PER_TOKEN
from federated_router.sensitivity.assessment import Assessment
from federated_router.sensitivity.levels import Sensitivity

BLOCKS_MAX: Final = 128
"""Blocks of a prompt that are told apart; what is beyond has no part in affinity."""

_DIGEST_BYTES: Final = 8
_FRAME_BYTES_MAX: Final = 13
"""Bytes that rendering adds to a message at most: its role and two separators."""
# Of this process alone: nobody can make prompts collide, or know one by its digest.
_KEY: Final = secrets.token_bytes(16)


Assess = Callable[[Sequence[str], Sensitivity | None], Awaitable[Assessment]]
"""Judges how personal texts are: never below the second, what their sender says."""


def query_of(
    generation: pb.Generation,
    *,
    sensitivity: Sensitivity,
    private: bool,
    prompt_size: int | None = None,
) -> RouteQuery:
    """Return what a request shares with others; raise FieldInvalid.

    A private request's context is its policy's, and asked for by none. `prompt_size`
    is its `prompt_tokens`, where somebody has counted them already.
    """
    resource_id(generation.model, "models", field="generation.model")
    wishes = generation.wishes
    for model in wishes.models:
        resource_id(model, "models", field="generation.wishes.models")
    if wishes.models and generation.model != AUTO:
        raise FieldInvalid(
            f"Name models together with '{AUTO}' only.",
            field="generation.wishes.models",
        )
    size = prompt_tokens(generation) if prompt_size is None else prompt_size
    tokens = size + generation.sampling.tokens_max
    return RouteQuery(
        model=generation.model,
        private=private,
        models=frozenset(wishes.models),
        regions=frozenset(wishes.regions),
        sensitivity=sensitivity,
        context_tokens=0 if private else max(tokens, 0),
    )


def declared_sensitivity(generation: pb.Generation) -> Sensitivity | None:
    """Return how personal a request's sender says it is; raise FieldInvalid."""
    told = generation.sensitivity
    if not told:
        return None
    try:
        return Sensitivity(told)
    except ValueError:
        raise FieldInvalid(
            "There is no such sensitivity.", field="generation.sensitivity"
        ) from None


async def assessed(generation: pb.Generation, assess: Assess | None) -> Assessment:
    """Return how personal the messages are: what their sender says, or more.

    Raises FieldInvalid for a level that there is not.
    """
    declared = declared_sensitivity(generation)
    if assess is None:
        return Assessment(declared or Sensitivity.INTERNAL)
    return await assess([one.content for one in generation.messages], declared)


def shape_of(generation: pb.Generation, *, tenant: str) -> Shape:
    """Return what is of one request alone; raise FieldInvalid for a wish out of range.

    `tenant` is the caller's id.
    """
    size = _prompt_bytes(generation)
    return Shape(
        prompt=user_prompt(generation),
        prompt_tokens=-(-size // BYTES_PER_TOKEN),
        tokens_max=max(generation.sampling.tokens_max, 0),
        prefix=_prefix(generation.messages, size),
        tenant=tenant,
        wishes=wishes_of(generation),
    )


def user_prompt(generation: pb.Generation) -> Prompt:
    """Return what its user says, as far as features and patterns look at it."""
    return prompt_of(
        [one.content for one in generation.messages if one.role == pb.ROLE_USER]
    )


def prompt_tokens(generation: pb.Generation) -> int:
    """Return an estimate of the prompt's tokens: a token for four bytes."""
    return -(-_prompt_bytes(generation) // BYTES_PER_TOKEN)


def utf8_bytes(text: str) -> int:
    """Return how many bytes a text has; most are counted without being encoded."""
    return len(text) if text.isascii() else len(text.encode())


def _prompt_bytes(generation: pb.Generation) -> int:
    return sum([utf8_bytes(one.content) for one in generation.messages])


def _prefix(messages: Sequence[pb.Message], size: int) -> tuple[int, ...]:
    """Return `prefix_of` the messages, whose texts have `size` bytes together."""
    longest = size + len(messages) * _FRAME_BYTES_MAX
    return prefix_of(messages) if longest >= BLOCK_BYTES else ()


def prefix_of(messages: Sequence[pb.Message]) -> tuple[int, ...]:
    """Return the digests of a conversation's blocks, each of all up to its end."""
    rendered = b"".join(_rendered(one) for one in messages)
    digests: list[int] = []
    before = b""
    for begin in range(0, len(rendered) - BLOCK_BYTES + 1, BLOCK_BYTES):
        block = rendered[begin : begin + BLOCK_BYTES]
        before = blake2b(before + block, digest_size=_DIGEST_BYTES, key=_KEY).digest()
        digests.append(int.from_bytes(before, "big"))
        if len(digests) == BLOCKS_MAX:
            break
    return tuple(digests)


def wishes_of(generation: pb.Generation) -> Wishes:
    """Return what is asked of an answer; raise FieldInvalid."""
    if not generation.HasField("wishes"):
        return NO_WISHES
    told = generation.wishes
    return Wishes(
        quality_min=_limit(told, "quality_min", highest=1.0),
        cost_max=_limit(told, "cost_max"),
        co2e_mg_max=_limit(told, "co2e_mg_max"),
        latency_ms_max=_limit(told, "latency_ms_max"),
        steady=told.steady,
    )


def _limit(
    told: pb.RouteWishes, name: str, *, highest: float = float("inf")
) -> float | None:
    if not told.HasField(name):
        return None
    value: float = getattr(told, name)
    if not 0.0 <= value <= highest:  # NaN is neither.
        raise FieldInvalid(
            "Ask for 0 or more." if highest > 1 else "Ask for 0 to 1.",
            field=f"generation.wishes.{name}",
        )
    return value


def _rendered(message: pb.Message) -> bytes:
    return f"{message.role}\0{message.content}\0".encode()
