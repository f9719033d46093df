"""Limits of the proxy; every one has a test that reaches it."""

from pydantic import Field

from federated_router.kit.config import Settings


class ProxySettings(Settings):
    """How long, how large, how often."""

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
