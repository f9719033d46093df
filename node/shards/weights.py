"""The tensors of a model's directory: what is there, and the few that a part needs.

Decides how a directory is named by a digest, so that parts are put together only where
they come from alike ones. Refuses to know layers. Only the files that hold a wanted
tensor are opened, and only the wanted tensors are read.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import PretrainedConfig

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_HEADER_BYTES_MAX = 100 * 2**20
# These say who wrote the file, not what the model computes.
_PROVENANCE = frozenset({"transformers_version", "_name_or_path", "architectures"})


@dataclass(frozen=True, slots=True)
class TensorFiles:
    """Where each tensor of a directory lies, and the bytes of all together."""

    files: Mapping[str, Path]
    total_bytes: int

    def read(
        self, rename: Callable[[str], str | None], data_type: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Return the tensors that `rename` gives a name, floats as `data_type`."""
        wanted: dict[Path, list[tuple[str, str]]] = {}
        for name, file in self.files.items():
            renamed = rename(name)
            if renamed is not None:
                wanted.setdefault(file, []).append((name, renamed))
        found: dict[str, torch.Tensor] = {}
        for file, names in wanted.items():
            with safe_open(file, framework="pt") as opened:
                for name, renamed in names:
                    found[renamed] = _as_type(opened.get_tensor(name), data_type)
        return found


def _as_type(tensor: torch.Tensor, data_type: torch.dtype) -> torch.Tensor:
    return tensor.to(data_type) if tensor.is_floating_point() else tensor


def tensor_files(directory: Path) -> TensorFiles:
    """Return what the directory holds.

    Raises:
        ValueError: it holds no safetensors, or an index that cannot be read.
    """
    index, single = directory / _INDEX, directory / _SINGLE
    if index.is_file():
        return _indexed(directory, index)
    if not single.is_file():
        raise ValueError(f"{directory} holds neither {_SINGLE} nor {_INDEX}")
    header = _header(single)
    sizes = [one["data_offsets"][1] - one["data_offsets"][0] for one in header.values()]
    return TensorFiles(dict.fromkeys(header, single), sum(sizes))


def _indexed(directory: Path, index: Path) -> TensorFiles:
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        files = {
            str(name): directory / Path(str(file)).name
            for name, file in content["weight_map"].items()
        }
        return TensorFiles(files, int(content["metadata"]["total_size"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{index} is no index of safetensors") from error


def _header(file: Path) -> dict[str, dict[str, list[int]]]:
    """Return a file's table of tensors: 8 bytes of length, then JSON."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > _HEADER_BYTES_MAX:
            raise ValueError(f"{file} is no file of safetensors")
        header: dict[str, dict[str, list[int]]] = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    return header


def data_type_of(config: PretrainedConfig, named: str) -> torch.dtype:
    """Return the element type: the named one, or for `auto` the configuration's."""
    if named != "auto":
        chosen: torch.dtype = getattr(torch, named)
        return chosen
    own = config.get_text_config().dtype or torch.float32
    return getattr(torch, own) if isinstance(own, str) else own


def digest_of(directory: Path, files: TensorFiles, data_type: torch.dtype) -> str:
    """Return SHA-256, hexadecimal, over configuration, type, tensor names and size.

    The values of the tensors are not in it: reading them all would take a shard longer
    than loading its layers.
    """
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    content = {
        "config": {key: config[key] for key in config.keys() - _PROVENANCE},
        "data_type": str(data_type),
        "names": sorted(files.files),
        "total_bytes": files.total_bytes,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
