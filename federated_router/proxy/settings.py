"""Limits of the proxy; every one has a test that reaches it."""

from pydantic import Field

from federated_router.kit.config import Settings
from federated_router.proxy.breaker import BreakerSettings
from federated_router.proxy.hedging import HedgingSettings
from federated_router.proxy.node_waits import NodeWaitSettings
from federated_router.proxy.retry_budget import RetryBudgetSettings


class ProxySettings(Settings):
    """How long, how large, how often.

    A private answer is granted `private_instalment_tokens` at a time: a failure charges
    the tokens that left and at most two instalments. Each extension is one write of the
    ledger, and one call to the node of at most `private_extend_timeout_s`.

    A public request is tried `attempts_max` times, after pauses of up to
    `retry_backoff_s`, doubled each time up to `retry_backoff_s_max`. Up to
    `unreachable_max` nodes that accept no connection count for none. Where every other
    node failed, one that said when to come back is asked again then, if that is within
    `retry_wait_s_max`. A public stream whose node is lost goes on at another node, at
    most `resumptions_max` times; 0 is never, and then no seed is chosen for it.

    Chunks of a stream that come while its caller reads, or within `stream_gather_s` of
    the last that left, are joined up to `stream_chunk_bytes_max`; while many streams
    run, within `stream_gather_each_s` for each of them, at most `stream_gather_s_max`.
    The first chunk of an answer and its end never wait. A node waits once
    `stream_ahead_bytes_max` are unread, and is taken for lost where it is silent for
    `stream_stall_s` between two tokens. A node whose lease lapsed goes on with its
    answers as long as parts of them come, none later than `lapsed_silence_s` after the
    one before. An answer of more than `answer_kept_bytes_max`
    is not kept.
    """

    request_timeout_s: float = Field(default=120.0, gt=0)
    request_timeout_max_s: float = Field(default=600.0, gt=0)
    attempts_max: int = Field(default=3, ge=1, le=10)
    retry_backoff_s: float = Field(default=0.02, ge=0)
    retry_backoff_s_max: float = Field(default=1.0, ge=0)
    retry_wait_s_max: float = Field(default=0.5, ge=0)
    unreachable_max: int = Field(default=10, ge=0)
    node_waits: NodeWaitSettings = NodeWaitSettings()
    resumptions_max: int = Field(default=3, ge=0, le=100)
    retries: RetryBudgetSettings = RetryBudgetSettings()
    breakers: BreakerSettings = BreakerSettings()
    hedging: HedgingSettings = HedgingSettings()
    connect_timeout_s: float = Field(default=1.0, gt=0)
    messages_max: int = Field(default=64, ge=1)
    prompt_bytes_max: int = Field(default=256 * 1024, ge=1)
    record_bytes_max: int = Field(default=64 * 1024, ge=1)
    stop_strings_max: int = Field(default=4, ge=0)
    stop_string_bytes_max: int = Field(default=64, ge=1)
    tokens_max: int = Field(default=4096, ge=1)
    wishes_names_max: int = Field(default=64, ge=1)
    stream_ahead_bytes_max: int = Field(default=256 * 1024, ge=1)
    stream_chunk_bytes_max: int = Field(default=64 * 1024, ge=1)
    stream_gather_s: float = Field(default=0.002, ge=0)
    stream_gather_each_s: float = Field(default=0.001, ge=0)
    stream_gather_s_max: float = Field(default=0.04, ge=0)
    stream_stall_s: float = Field(default=10.0, gt=0)
    lapsed_silence_s: float = Field(default=1.0, ge=0)
    answer_kept_bytes_max: int = Field(default=1024 * 1024, ge=0)
    private_instalment_tokens: int = Field(default=16, ge=1)
    private_extend_timeout_s: float = Field(default=2.0, gt=0)
