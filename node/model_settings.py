"""What a node can be told of its models, and of what runs them.

Decides which settings go together; refuses to know the daemon around the models.
"""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import AnyHttpUrl, Field, field_validator, model_validator

from federated_router.kit.config import ResourceId, Settings
from federated_router.priors.contents import PRIVATE_TIER, STANDARD_TIER


class QuantisationKind(StrEnum):
    """How weights are stored; INT8_WEIGHTS needs the extra `quantised`."""

    NONE = "none"
    INT8_WEIGHTS = "int8_weights"


class DataTypeName(StrEnum):
    """The type of weights and activations; AUTO is what the directory holds."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class LengthField(StrEnum):
    """What a server calls the most tokens of an answer."""

    TOKENS = "max_tokens"
    COMPLETION_TOKENS = "max_completion_tokens"


class UpstreamSettings(Settings):
    """A server that speaks the OpenAI API and runs the model: vLLM, SGLang, TGI, ...

    `base_url` ends where `/chat/completions` would follow, `model` is what the server
    calls it. The key is read from `api_key_file`, again when that changes, never from
    here. Prompts and key travel over TLS unless the server is on this machine, or
    `plain_http` says that the network between is trusted. The server may say nothing
    for `idle_timeout_s`, and one answer or event may be so large. Whether it is there
    is asked at `health_path`, such as `/health`, or of its list of models. Nothing
    about its rows is known, so private decoding is not offered.
    """

    base_url: AnyHttpUrl
    model: str = Field(min_length=1)
    api_key_file: Path | None = None
    ca_file: Path | None = None
    context_tokens_max: int = Field(ge=1)
    connect_timeout_s: float = Field(default=2.0, gt=0)
    idle_timeout_s: float = Field(default=60.0, gt=0)
    length_field: LengthField = LengthField.TOKENS
    event_bytes_max: int = Field(default=1 << 20, ge=1024)
    answer_bytes_max: int = Field(default=64 << 20, ge=1024)
    health_path: str | None = Field(default=None, pattern=r"^/[!-~]*$")
    plain_http: bool = False

    @model_validator(mode="after")
    def _private_line(self) -> Self:
        local = self.base_url.host in {"localhost", "127.0.0.1", "[::1]"}
        if self.base_url.scheme == "http" and not (local or self.plain_http):
            raise ValueError(
                "base_url sends prompts in plain text; use https, or say that the "
                "network is trusted with plain_http = true"
            )
        if self.base_url.username or self.base_url.password:
            raise ValueError("base_url may hold no password; use api_key_file")
        return self


class PipelineSettings(Settings):
    """A model whose layers run on other nodes' shards; this node leads.

    `path` of the model holds the embeddings, the head and the tokenizer; its layers are
    not loaded here. `frame_tokens_max` bounds the positions in one frame.

    The router is asked for shards every `discovery_interval_s`. A shard that fails an
    answer, or keeps a frame for longer than `frame_timeout_s`, is replaced by another,
    at most `replacements_max` times an answer; where there is none, an answer waits
    `shards_wait_s` for one to come.
    """

    frame_tokens_max: int = Field(default=128, ge=1, le=4096)
    frame_timeout_s: float = Field(default=10.0, gt=0)
    connect_timeout_s: float = Field(default=2.0, gt=0)
    replacements_max: int = Field(default=3, ge=0)
    shards_wait_s: float = Field(default=10.0, ge=0)
    discovery_interval_s: float = Field(default=2.0, gt=0)


class ShardSettings(Settings):
    """Layers [first_layer, end_layer) of the model at `path`, run for pipelines.

    `slots` sequences of at most `context_tokens_max` tokens (by default the model's
    own) have memory for keys and values. A frame holds `frame_tokens_max` positions at
    most, and `sequence_frames_max` frames of one sequence may wait. A sequence that its
    leader has not used for `sequence_idle_s` is ended.
    """

    model: ResourceId
    path: Path
    first_layer: int = Field(ge=0)
    end_layer: int = Field(ge=1)
    slots: int = Field(default=8, ge=1)
    context_tokens_max: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)
    data_type: DataTypeName = DataTypeName.AUTO
    frame_tokens_max: int = Field(default=512, ge=1, le=4096)
    sequence_frames_max: int = Field(default=4, ge=1)
    sequence_idle_s: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _some_layers(self) -> Self:
        if self.end_layer <= self.first_layer:
            raise ValueError("end_layer is one after the last layer")
        return self


class ModelSettings(Settings):
    """One model: any Hugging Face directory of a causal language model.

    With `pipeline` its layers run on other nodes; with `upstream` in place of `path`
    another server runs all of it.

    `prefix_cache_bytes` bounds the keys and values kept of finished public prompts, so
    that the same caller's next prompt with the same beginning is not read again; 0
    keeps none. `prefill_tokens_max` bounds how many prompt tokens one step reads.
    `records_passes` lets a recording of the model's pass run where it gives the same
    bits.

    `record_template` places a private record before the last user message; it holds
    `{record}` and `{prompt}`. `device_memory` limits each device ("0", "cpu"), in the
    units of accelerate ("4GiB"); what does not fit goes to `offload_directory`.

    Statistics count its public answers at `tier`, with a cost of `token_price` (in the
    federation's currency) per output token. Where no meter counts the energy of its
    requests, it is modelled: `power_w` watts for as long as one runs, or, where that is
    0, by `prompt_token_j` and `token_j`.

    The router is told these prices, with `prompt_token_price` per token of a prompt,
    and what a token takes: as meters said lately, else `prompt_token_j` and `token_j`
    joules, else what `power_w` came to lately.
    """

    name: ResourceId
    path: Path | None = None
    upstream: UpstreamSettings | None = None
    pipeline: PipelineSettings | None = None
    slots: int = Field(default=8, ge=1)
    private_slots: int = Field(default=1, ge=1)
    waiting_max: int = Field(default=64, ge=0)
    threads: int = Field(default=1, ge=1)
    record_template: str = "Note: {record}\n{prompt}"
    device_memory: dict[str, str] = Field(default_factory=dict)
    offload_directory: Path | None = None
    data_type: DataTypeName = DataTypeName.AUTO
    quantisation: QuantisationKind = QuantisationKind.NONE
    context_tokens_max: int | None = Field(default=None, ge=1)
    prefill_tokens_max: int = Field(default=1024, ge=16)
    prefix_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    records_passes: bool = True
    tier: ResourceId = STANDARD_TIER
    token_price: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    power_w: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    prompt_token_price: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    prompt_token_j: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    token_j: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        if (self.path is None) == (self.upstream is None):
            raise ValueError("a model has either a path or an upstream")
        if self.upstream is not None and self.pipeline is not None:
            raise ValueError("a model has either an upstream or a pipeline")
        return self

    @field_validator("tier")
    @classmethod
    def _public(cls, tier: str) -> str:
        if tier == PRIVATE_TIER:
            raise ValueError(f"'{PRIVATE_TIER}' is the tier of private answers")
        return tier
