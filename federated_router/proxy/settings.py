"""Limits of the proxy; every one has a test that reaches it."""

from pydantic import Field

from federated_router.kit.config import Settings


class ProxySettings(Settings):
    """How long, how large, how often.

    A private answer is granted `private_instalment_tokens` at a time: a failure charges
    the tokens that left and at most two instalments. Each extension is one write of the
    ledger, and one call to the node of at most `private_extend_timeout_s`.
    """

    request_timeout_s: float = Field(default=120.0, gt=0)
    request_timeout_max_s: float = Field(default=600.0, gt=0)
    attempts_max: int = Field(default=3, ge=1, le=10)
    retry_backoff_s: float = Field(default=0.02, ge=0)
    connect_timeout_s: float = Field(default=1.0, gt=0)
    messages_max: int = Field(default=64, ge=1)
    prompt_bytes_max: int = Field(default=256 * 1024, ge=1)
    record_bytes_max: int = Field(default=64 * 1024, ge=1)
    stop_strings_max: int = Field(default=4, ge=0)
    stop_string_bytes_max: int = Field(default=64, ge=1)
    tokens_max: int = Field(default=4096, ge=1)
    private_instalment_tokens: int = Field(default=16, ge=1)
    private_extend_timeout_s: float = Field(default=2.0, gt=0)
