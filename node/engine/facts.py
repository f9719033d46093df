"""What can be told of an engine: its kind, its layout and its memory.

Decides what operators see of whatever runs a model; refuses to know how it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class EngineKind(Enum):
    """What runs a model."""

    TRANSFORMERS = "transformers"  # this process, by transformers and accelerate
    OPENAI = "openai"  # another server, behind the OpenAI API
    PIPELINE = "pipeline"  # shards on several nodes, led from here
    SHARD = "shard"  # some layers, for pipelines that others lead


@dataclass(frozen=True, slots=True)
class ModelPart:
    """Consecutive parts of a model on one device.

    `modules` as the model names them, a range of layers as `model.layers.0-11`;
    `device` is `cpu`, `cuda:0`, `disk`, or `nodes/NAME` where another node runs it.
    """

    modules: str
    device: str
    weight_bytes: int


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself; what it does not know stays empty or 0.

    `cache_bytes` is the memory of running requests' keys and values, and
    `prefix_cache_bytes` what kept prefixes take now.
    """

    architecture: str = ""
    data_type: str = ""
    quantisation: str = ""
    parts: Sequence[ModelPart] = ()
    cache_bytes: int = 0
    prefix_cache_bytes: int = 0
    prefix_cache_bytes_max: int = 0
