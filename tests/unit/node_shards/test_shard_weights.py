"""What a part reads of a directory, and what the directory is called by."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from node.engine.device_map import causal_config
from node.shards.layers import LayerRange
from node.shards.parts import load_ends, load_layers
from node.shards.weights import data_type_of, digest_of, tensor_files
from tests.support.split_models import build_split_model


@pytest.fixture
def directory(split_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """Return a model of the test's own to damage."""
    return shutil.copytree(split_model("llama"), tmp_path / "model")


def digest(directory: Path, data_type: torch.dtype = torch.float32) -> str:
    """Return a directory's digest."""
    return digest_of(directory, tensor_files(directory), data_type)


def change_config(directory: Path, **changes: object) -> None:
    """Write a model's configuration with other values."""
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_leader_and_shards_of_one_directory_agree_on_its_digest(
    directory: Path,
) -> None:
    """Each reads other tensors; they must find each other all the same."""
    ends = load_ends(directory, data_type="auto")
    shard = load_layers(directory, LayerRange(1, 3), data_type="auto")

    assert ends.digest == shard.digest == digest(directory)


def test_same_model_in_one_file_or_many_has_one_digest(
    directory: Path, tmp_path: Path
) -> None:
    """How a model was cut into files says nothing about what it computes."""
    single = build_split_model(tmp_path / "single", "llama", shard_size="1GB")

    assert (single / "model.safetensors").is_file()
    assert digest(single) == digest(directory)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"rms_norm_eps": 1e-3}, False),
        ({"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}, False),
        ({"transformers_version": "9.9"}, True),
    ],
)
def test_digest_follows_what_the_model_computes(
    directory: Path, changes: dict[str, object], *, same: bool
) -> None:
    """Parts of two models would give text that nobody could explain."""
    before = digest(directory)

    change_config(directory, **changes)

    assert (digest(directory) == before) is same


def test_digest_tells_types_apart(directory: Path) -> None:
    """A replica of another precision would go on with other tokens."""
    assert digest(directory) != digest(directory, torch.bfloat16)


def test_type_comes_from_the_settings_or_else_from_the_model(directory: Path) -> None:
    """`auto` is what the directory says; a named type is taken."""
    config = causal_config(directory)

    assert data_type_of(config, "auto") == torch.float32
    assert data_type_of(config, "bfloat16") == torch.bfloat16
    part = load_layers(directory, LayerRange(0, 1), data_type="bfloat16")
    assert {one.dtype for one in part.model.parameters()} == {torch.bfloat16}


def test_missing_tensor_keeps_the_shard_from_starting(directory: Path) -> None:
    """A layer with random weights would answer too."""
    index = directory / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    del content["weight_map"]["model.layers.2.mlp.up_proj.weight"]
    index.write_text(json.dumps(content))

    with pytest.raises(ValueError, match=r"lacks 0\.mlp\.up_proj\.weight"):
        load_layers(directory, LayerRange(2, 4), data_type="auto")

    load_layers(directory, LayerRange(0, 2), data_type="auto")


def test_tensor_of_another_shape_keeps_the_shard_from_starting(
    directory: Path,
) -> None:
    """The configuration and the files must be of one model."""
    change_config(directory, intermediate_size=64)

    with pytest.raises(ValueError, match="do not fit"):
        load_layers(directory, LayerRange(0, 2), data_type="auto")


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": 3}', "no json"])
def test_index_that_cannot_be_read_is_refused(directory: Path, content: str) -> None:
    """With the file's name, as an operator needs it."""
    (directory / "model.safetensors.index.json").write_text(content)

    with pytest.raises(ValueError, match="is no index of safetensors"):
        tensor_files(directory)


def test_index_leads_nowhere_outside_the_directory(directory: Path) -> None:
    """A model from elsewhere must not name files of this machine."""
    index = directory / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    name = next(iter(content["weight_map"]))
    content["weight_map"][name] = "../../etc/model.safetensors"
    index.write_text(json.dumps(content))

    files = tensor_files(directory).files

    assert {file.parent for file in files.values()} == {directory}


def test_directory_without_safetensors_is_refused(tmp_path: Path) -> None:
    """Pickled weights are never opened."""
    with pytest.raises(ValueError, match=r"neither model\.safetensors nor"):
        tensor_files(tmp_path)


def test_file_that_claims_a_huge_header_is_refused(tmp_path: Path) -> None:
    """Eight bytes must not make a node read all of its memory full."""
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)

    with pytest.raises(ValueError, match="no file of safetensors"):
        tensor_files(tmp_path)
