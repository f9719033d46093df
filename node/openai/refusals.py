"""What a server's refusals and silences mean to whoever asked this node.

Decides which error of this federation each becomes. The server's own words are never
passed on or logged, because they may repeat a prompt or part of a key: its `code` and
`param` are, where they look like names. Pure.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import httpx2

from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    Internal,
    ModelUnknown,
    PromptTooLong,
    QueueFull,
    Unavailable,
)

RETRY_AFTER_S: Final = 1.0
RETRY_AFTER_MAX_S: Final = 3600.0
_TOO_LARGE: Final = 413
_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_INVALID: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
_SLOW: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)
_TOO_LONG_CODES: Final = frozenset(
    {"context_length_exceeded", "string_above_max_length"}
)
# How vLLM, SGLang, llama.cpp and TGI say it where they give no code of their own.
_TOO_LONG_WORDS: Final = re.compile(
    r"maximum context length|context length of|exceeds? the (available )?context"
    r"|longer than the model's context|must have less than \d+ tokens"
    r"|inputs` tokens \+ `max_new_tokens`"
)
_FIELDS: Final = MappingProxyType(
    {
        "messages": "generation.messages",
        "max_tokens": "generation.sampling.tokens_max",
        "max_completion_tokens": "generation.sampling.tokens_max",
        "top_logprobs": "generation.sampling.logprobs",
    }
    | {
        same: f"generation.sampling.{same}"
        for same in (
            "temperature",
            "top_p",
            "top_k",
            "repetition_penalty",
            "seed",
            "stop",
            "logprobs",
        )
    }
)
_NAME: Final = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


def refusal_of(
    status: int, content: object, headers: Mapping[str, str]
) -> FederationError:
    """Return what a status other than 200 means; `content` is the refusal's JSON."""
    told = _told(content)
    if status in (*_INVALID, _TOO_LARGE):
        return _invalid(status, content, told)
    if status == HTTPStatus.NOT_FOUND:
        return ModelUnknown("The server does not run this model.", metadata=told)
    if status in _BUSY:
        return QueueFull(
            "The server that runs this model is full; retry later.",
            metadata=told,
            retry_after_s=retry_after_s(headers.get("retry-after")),
        )
    if status in _SLOW or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return away("The server that runs this model failed.")
    return Internal(
        "The server that runs this model refuses this node, or does not speak the "
        "OpenAI API.",
        metadata={"upstream_status": str(status)},
    )


def _invalid(
    status: int, content: object, told: Mapping[str, str]
) -> PromptTooLong | FieldInvalid:
    if status == _TOO_LARGE or _says_too_long(content):
        return PromptTooLong(
            "Prompt and answer do not fit the context of the server that runs this "
            "model; shorten the prompt or lower tokens_max.",
            field="generation.messages",
            metadata=told,
        )
    return FieldInvalid(
        "The server that runs this model refuses the request.",
        field=_FIELDS.get(told.get("upstream_param", ""), "generation"),
        metadata=told,
    )


def failure_of(error: httpx2.HTTPError | httpx2.StreamError) -> FederationError:
    """Return what a failed connection means."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return away("The server that runs this model cannot be reached.")
    if isinstance(error, httpx2.TimeoutException):
        return away("The server that runs this model said nothing for too long.")
    if isinstance(error, httpx2.SSEError | httpx2.DecodingError):
        return garbled("events")
    return away("The server that runs this model broke off its answer.")


def away(message: str) -> Unavailable:
    """Return an error that another node may spare the caller."""
    return Unavailable(message, retry_after_s=RETRY_AFTER_S)


def garbled(what: str) -> Internal:
    """Return an error for an answer that does not follow the OpenAI API."""
    return Internal(
        "The server that runs this model does not speak the OpenAI API.",
        metadata={"upstream": what},
    )


def retry_after_s(value: str | None) -> float:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), within bounds."""
    if value is None:
        return RETRY_AFTER_S
    text = value.strip()
    if text.isdecimal():
        seconds = float(text[:9])
    else:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return RETRY_AFTER_S
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)


def _told(content: object) -> dict[str, str]:
    """Return the code and the field that the server names, where they are names."""
    error = _error(content)
    found = {
        "upstream_code": error.get("code"),
        "upstream_param": error.get("param"),
    }
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, str) and _NAME.fullmatch(value)
    }


def _says_too_long(content: object) -> bool:
    error = _error(content)
    if error.get("code") in _TOO_LONG_CODES:
        return True
    message = error.get("message", "")
    return isinstance(message, str) and bool(_TOO_LONG_WORDS.search(message))


def _error(content: object) -> Mapping[str, object]:
    """Return the error object, wherever the server puts it."""
    if not isinstance(content, dict):
        return {}
    inner = content.get("error", content.get("detail", content))
    if isinstance(inner, dict):
        return inner
    return {"message": inner}
