"""What the events of a streamed chat completion say.

Decides what a valid event is, and reads text, end, counts and log probabilities out of
it; refuses to know connections. Pure. Nothing of a foreign server is trusted: what does
not follow the OpenAI API reference ends the answer, instead of being guessed at.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from federated_router.kit.errors import FederationError
from node.engine.pieces import FinishReason, TokenLogprob
from node.openai.refusals import away, garbled, refusal_of

DONE: Final = "[DONE]"
NO_ID: Final = -1
"""The token id of a log probability whose server tells none."""
TOKENS_MAX: Final = 2**31 - 1
_TOKEN_ID: Final = re.compile(r"token_id:(\d{1,10})")
_ROUNDING: Final = 1e-6
_STATUS_MIN: Final = 400
_STATUS_MAX: Final = 599
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Usage:
    """Exact token counts of an answer, as the server tells them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Event:
    """What one event adds; `finish` and `usage` where it tells them.

    `text` may end in half a surrogate pair, because JSON can be cut there.
    """

    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: FinishReason | None = None
    usage: Usage | None = None


def event_of(data: str) -> Event:
    """Return what an event's data says.

    Raises:
        FederationError: the server reports an error, ends the answer for a reason that
            this contract does not know, or does not speak the OpenAI API.
    """
    content = _parsed(data)
    if "error" in content:
        raise _reported(content)
    usage = _usage(content.get("usage"))
    choices = content.get("choices", [])
    if not isinstance(choices, list):
        raise garbled("choices")
    if not choices:
        return Event(usage=usage)
    choice = _object(choices[0], "choices")
    delta = _object(choice.get("delta") or {}, "delta")
    text = delta.get("content")
    if text is not None and not isinstance(text, str):
        raise garbled("content")
    return Event(
        text=text or "",
        token_ids=_token_ids(choice.get("token_ids")),
        logprobs=_logprobs(choice.get("logprobs")),
        finish=_finish(choice),
        usage=usage,
    )


def _parsed(data: str) -> Json:
    try:
        content = json.loads(data, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise garbled("json") from None
    return _object(content, "json")


def _constant(name: str) -> float:
    """Return what Python writes for an impossible token's logarithm, else NaN."""
    return -math.inf if name == "-Infinity" else math.nan


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise garbled(what)
    return value


def _reported(content: Json) -> FederationError:
    """Return the error that a server tells inside of a stream that began well."""
    error = content["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and _STATUS_MIN <= code <= _STATUS_MAX:
        return refusal_of(code, content, {})
    return away("The server that runs this model failed within its answer.")


def _finish(choice: Json) -> FinishReason | None:
    """Return why the answer ends; the names of stop strings are vLLM's and SGLang's."""
    match choice.get("finish_reason"):
        case None:
            return None
        case "length":
            return FinishReason.LENGTH
        case "stop":
            found = choice.get("stop_reason", choice.get("matched_stop"))
            return FinishReason.STOP if isinstance(found, str) else FinishReason.END
        case _:
            raise garbled("finish_reason")


def _usage(value: object) -> Usage | None:
    if value is None:
        return None
    usage = _object(value, "usage")
    details = usage.get("prompt_tokens_details") or {}
    prompt = _count(usage.get("prompt_tokens"))
    cached = _count(_object(details, "usage").get("cached_tokens") or 0)
    return Usage(prompt, _count(usage.get("completion_tokens")), min(cached, prompt))


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise garbled("usage")
    if not 0 <= value <= TOKENS_MAX:
        raise garbled("usage")
    return value


def _token_ids(value: object) -> tuple[int, ...]:
    """Return the ids of vLLM's `return_token_ids`; none where they are not told."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise garbled("token_ids")
    return tuple(map(_count, value))


def _logprobs(value: object) -> tuple[TokenLogprob, ...]:
    if value is None:
        return ()
    content = _object(value, "logprobs").get("content") or []
    if not isinstance(content, list):
        raise garbled("logprobs")
    return tuple(_token_logprob(_object(one, "logprobs")) for one in content)


def _token_logprob(told: Json) -> TokenLogprob:
    token_id, logprob = _drawn(told)
    likeliest = told.get("top_logprobs") or []
    if not isinstance(likeliest, list):
        raise garbled("logprobs")
    alternatives = tuple(_drawn(_object(one, "logprobs")) for one in likeliest)
    return TokenLogprob(token_id, logprob, alternatives)


def _drawn(told: Json) -> tuple[int, float]:
    """Return the token's id, where it is told as `token_id:N`, and its logarithm."""
    token, logprob = told.get("token"), told.get("logprob")
    if not isinstance(logprob, int | float) or isinstance(logprob, bool):
        raise garbled("logprobs")
    if not logprob <= _ROUNDING:
        raise garbled("logprobs")
    match = _TOKEN_ID.fullmatch(token) if isinstance(token, str) else None
    return (NO_ID if match is None else _count(int(match[1]))), min(float(logprob), 0.0)
