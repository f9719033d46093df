"""Loads a causal language model from a directory onto the devices that there are.

Decides which layer lies where, by accelerate's map under a memory limit per device;
refuses networks, remote code and models that are not causal language models.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import infer_auto_device_map, init_empty_weights
from accelerate.utils import get_max_memory
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TorchAoConfig,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL_LM_TYPES,
)
from transformers.utils.import_utils import is_torchao_available
from transformers.utils.logging import disable_progress_bar

WHOLE_MODEL = ""
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's directory and the memory that it may take.

    `memory_max` limits devices ("cpu", "0", "1", ...) to sizes such as "20GiB"; empty
    means all there is. What fits nowhere goes to `offload_directory`. `data_type` is
    torch's name of the type of weights and activations, `auto` what the directory
    holds. `int8_weights` stores the weights of linear layers as 8-bit integers with a
    scale for each output; activations stay as they are, and so do embeddings and head.
    """

    directory: Path
    memory_max: Mapping[str, str] = field(default_factory=dict)
    offload_directory: Path | None = None
    data_type: str = AUTO
    int8_weights: bool = False


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run, with its tokenizer and the layout of its layers."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layout: Mapping[str, str]


def load(source: ModelSource) -> LoadedModel:
    """Load model and tokenizer; local files only.

    Raises:
        ValueError: the directory does not hold a causal language model, or it does
            not fit the memory given.
    """
    # A daemon has a log, not a terminal.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    config = causal_config(source.directory)
    placement = planned_layout(source, config)
    model = AutoModelForCausalLM.from_pretrained(
        source.directory,
        config=config,
        dtype=AUTO if source.data_type == AUTO else data_type_of(source, config),
        attn_implementation="sdpa",
        device_map=placement,
        offload_folder=source.offload_directory,
        quantization_config=_quantisation(source, placement),
        local_files_only=True,
        trust_remote_code=False,
    )
    model.requires_grad_(requires_grad=False)
    tokenizer = AutoTokenizer.from_pretrained(
        source.directory, local_files_only=True, trust_remote_code=False
    )
    layout = {str(part): str(device) for part, device in placement.items()}
    return LoadedModel(model, tokenizer, layout)


def data_type_of(source: ModelSource, config: PretrainedConfig) -> torch.dtype:
    """Return the type of weights and activations.

    Raises:
        ValueError: torch has no floating point type of that name.
    """
    known = config.dtype or torch.float32
    found = (
        known if source.data_type == AUTO else getattr(torch, source.data_type, None)
    )
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"data_type {source.data_type!r} is no type of weights")
    return found


def _quantisation(
    source: ModelSource, placement: Mapping[str, str | int]
) -> TorchAoConfig | None:
    """Return how weights are quantised while they are loaded.

    Raises:
        ValueError: torchao is not installed, or a part would lie on disk.
    """
    if not source.int8_weights:
        return None
    if not is_torchao_available():
        raise ValueError(
            "quantisation needs torchao; install federated-router[quantised]"
        )
    if "disk" in placement.values():
        raise ValueError(
            "quantised weights cannot lie on disk; raise device_memory, or choose one "
            "of quantisation and offload_directory"
        )
    # Imported only where it is used: it loads kernels of accelerators.
    from torchao.quantization import Int8WeightOnlyConfig  # noqa: PLC0415

    return TorchAoConfig(Int8WeightOnlyConfig())


def causal_config(directory: Path) -> PretrainedConfig:
    """Return the directory's configuration.

    Raises:
        ValueError: it is not a causal language model that transformers knows.
    """
    path = directory / "config.json"
    if not path.is_file():
        raise ValueError(
            f"{directory} holds no config.json; name a Hugging Face model directory"
        )
    model_type = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    if model_type not in CAUSAL_LM_TYPES:
        raise ValueError(
            f"{directory} holds a model of type {model_type!r}, which is no causal "
            "language model that transformers knows; name one that generates text"
        )
    config: PretrainedConfig = AutoConfig.from_pretrained(
        directory, local_files_only=True, trust_remote_code=False
    )
    return config


def planned_layout(
    source: ModelSource, config: PretrainedConfig
) -> dict[str, str | int]:
    """Return which part of the model goes to which device.

    Raises:
        ValueError: a part would have to lie on disk and there is no directory for it.
    """
    available = {"cpu", *(str(index) for index in range(torch.cuda.device_count()))}
    if unknown := set(source.memory_max) - available:
        raise ValueError(
            f"memory_max names {', '.join(sorted(unknown))}; this machine has "
            f"{', '.join(sorted(available))}"
        )
    if available == {"cpu"} and not source.memory_max:
        return {WHOLE_MODEL: "cpu"}
    with init_empty_weights():
        empty: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    empty.tie_weights()
    layout: dict[str, str | int] = infer_auto_device_map(
        empty,
        max_memory=_memory(source.memory_max, available),
        no_split_module_classes=sorted(empty._no_split_modules or ()),  # noqa: SLF001 - accelerate's own way.
        dtype=data_type_of(source, config),
    )
    if "disk" in layout.values() and source.offload_directory is None:
        raise ValueError(
            "the model does not fit memory_max; raise it or set offload_directory"
        )
    return layout


def _memory(
    limits: Mapping[str, str], available: set[str]
) -> dict[int | str, int | str]:
    """Return a limit for every device of this machine, as accelerate names them."""
    found = get_max_memory()
    chosen: dict[int | str, int | str] = {}
    for device in sorted(available):
        name: int | str = device if device == "cpu" else int(device)
        chosen[name] = limits.get(device, found.get(name, 0))
    return chosen


def input_device(model: PreTrainedModel) -> torch.device:
    """Return where a pass's token ids belong.

    A part on disk reports the device `meta`; accelerate runs it on the main device.
    """
    device = next(model.get_input_embeddings().parameters()).device
    if device.type != "meta":
        return device
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def vocabulary_size_of(model: PreTrainedModel) -> int:
    """Return how many token ids the model takes."""
    return next(model.get_input_embeddings().parameters()).shape[0]
