"""Parts of a model, loaded and ready to run.

Decides that a part is complete before it runs. Refuses to know slots, sequences and
networks. Every function here is the model thread's, or runs before one exists.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import PretrainedConfig, PreTrainedModel

from node.engine.device_map import causal_config, input_device, vocabulary_size_of
from node.shards.layers import LayerRange
from node.shards.passes import embedded, logits_without_layers
from node.shards.split import (
    ENDS,
    as_shard,
    empty_part,
    fill,
    layers_of,
    name_in_part,
)
from node.shards.split_proof import prove_split
from node.shards.weights import data_type_of, digest_of, tensor_files


@dataclass(frozen=True, slots=True)
class Layers:
    """Some layers: hidden states in, hidden states out."""

    model: PreTrainedModel
    layers: LayerRange
    digest: str
    data_type: torch.dtype
    width: int
    weight_bytes: int
    architecture: str
    device: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Embeddings, last norm and head of a model whose layers are elsewhere."""

    model: PreTrainedModel
    config: PretrainedConfig
    digest: str
    data_type: torch.dtype
    width: int
    weight_bytes: int

    @property
    def architecture(self) -> str:
        """Return the model's class, as transformers names it."""
        return type(self.model).__name__

    @property
    def device(self) -> str:
        """Return where it runs, as torch names it."""
        return str(input_device(self.model))

    @property
    def layers(self) -> int:
        """Return how many layers there are elsewhere."""
        return layers_of(self.config)

    @property
    def vocabulary_size(self) -> int:
        """Return how many token ids the model takes."""
        return vocabulary_size_of(self.model)

    @torch.inference_mode()
    def embed(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Return the hidden states (n, width) of token ids (n,), on the host."""
        device = input_device(self.model)
        return embedded(self.model, token_ids.to(device)).cpu()

    @torch.inference_mode()
    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits (n, vocabulary) for hidden states (n, width), on the host.

        The model runs with no layers, so that whatever its architecture does between
        the last layer and the logits is done.
        """
        device = input_device(self.model)
        return logits_without_layers(self.model, hidden.to(device)).cpu()


def load_layers(directory: Path, layers: LayerRange, *, data_type: str) -> Layers:
    """Load these layers and no other tensor.

    Raises:
        ValueError: the directory has no such layers, lacks one of their tensors, or
            the architecture cannot be split there.
    """
    config = causal_config(directory)
    prove_split(config, layers)
    dtype = data_type_of(config, data_type)
    model, digest = _filled(directory, config, layers, dtype)
    device = _device()
    return Layers(
        model=moved(as_shard(model), device),
        layers=layers,
        digest=digest,
        data_type=dtype,
        width=int(config.get_text_config().hidden_size),
        weight_bytes=_bytes_of(model.base_model),
        architecture=type(model).__name__,
        device=str(device),
    )


def load_ends(directory: Path, *, data_type: str) -> Ends:
    """Load what surrounds the layers, and no layer.

    Raises:
        ValueError: as `load_layers`.
    """
    config = causal_config(directory)
    prove_split(config, LayerRange(0, layers_of(config)))
    dtype = data_type_of(config, data_type)
    model, digest = _filled(directory, config, ENDS, dtype)
    return Ends(
        model=moved(model, _device()),
        config=config,
        digest=digest,
        data_type=dtype,
        width=int(config.get_text_config().hidden_size),
        weight_bytes=_bytes_of(model),
    )


def _filled(
    directory: Path, config: PretrainedConfig, layers: LayerRange, dtype: torch.dtype
) -> tuple[PreTrainedModel, str]:
    """Return the part with its weights, and the digest of the directory."""
    model = empty_part(config, layers)
    files = tensor_files(directory)
    rename = partial(name_in_part, layers=layers, prefix=model.base_model_prefix)
    fill(model, files.read(rename, dtype), layers)
    return model, digest_of(directory, files, dtype)


def _bytes_of(model: torch.nn.Module) -> int:
    return sum(one.nbytes for one in model.parameters() if not one.is_meta)


def moved(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    """Return the model on a device."""
    torch.nn.Module.to(model, device)
    return model


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
