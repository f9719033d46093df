"""What is asked of a server that speaks the OpenAI API.

Decides which of our fields becomes which of theirs; refuses to know connections. Pure.
Follows the chat completions of the OpenAI API reference; `top_k` and
`repetition_penalty` are the extension that vLLM, SGLang and others share, and are sent
only where a request sets them.
"""

from collections.abc import Sequence
from typing import Final

from federated_router.kit.errors import PromptTooLong
from node.engine.engine import ChatMessage, Sampling
from node.engine.limits import check_messages, check_sampling
from node.model_settings import UpstreamSettings

PATH: Final = "chat/completions"
MODELS_PATH: Final = "models"
Body = dict[str, object]


def check_request(
    messages: Sequence[ChatMessage], sampling: Sampling, settings: UpstreamSettings
) -> None:
    """Refuse what no server could serve, before anything is sent.

    Raises:
        FieldInvalid: a role or a sampling field is outside what it may be.
        PromptTooLong: `tokens_max` alone fills the context.
    """
    check_messages(messages)
    check_sampling(sampling)
    if sampling.tokens_max >= settings.context_tokens_max:
        raise PromptTooLong(
            f"The context holds {settings.context_tokens_max} tokens, prompt and "
            "answer together; lower tokens_max.",
            field="generation.sampling.tokens_max",
            metadata={"context_tokens_max": str(settings.context_tokens_max)},
        )


def body_of(
    messages: Sequence[ChatMessage], sampling: Sampling, settings: UpstreamSettings
) -> Body:
    """Return the body of a streamed chat completion whose usage is told."""
    body: Body = {
        "model": settings.model,
        "messages": [{"role": one.role, "content": one.content} for one in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        settings.length_field.value: sampling.tokens_max,
        "temperature": sampling.temperature,
    }
    if sampling.top_p < 1:
        body["top_p"] = sampling.top_p
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    if sampling.repetition_penalty != 1:
        body["repetition_penalty"] = sampling.repetition_penalty
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    return body
