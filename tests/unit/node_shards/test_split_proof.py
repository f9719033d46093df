"""Only architectures that run alike in parts and whole are split."""

from collections.abc import Sequence

import pytest
from transformers import AutoConfig, PretrainedConfig

from node.shards import split_proof
from node.shards.layers import LayerRange
from node.shards.split_proof import prove_split

LAYERS = 4
Measured = list[tuple[float, list[LayerRange]]]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Return what each proof compared: how far apart, and cut where."""
    found: Measured = []
    distance = split_proof._distance

    def kept(config: PretrainedConfig, cuts: Sequence[LayerRange]) -> float:
        found.append((distance(config, cuts), list(cuts)))
        return found[-1][0]

    monkeypatch.setattr(split_proof, "_distance", kept)
    return found


def config_of(model_type: str, **changes: object) -> PretrainedConfig:
    """Return a configuration with few layers."""
    return AutoConfig.for_model(model_type, **{"num_hidden_layers": LAYERS, **changes})


@pytest.mark.parametrize(
    ("model_type", "changes"),
    [
        ("llama", {}),
        ("qwen2", {}),
        ("qwen3", {}),
        ("mistral", {}),
        ("mistral", {"sliding_window": None}),
        ("qwen2", {"use_sliding_window": True, "max_window_layers": 1}),
        ("granite", {}),
    ],
)
def test_architectures_that_are_a_list_of_layers_pass(
    model_type: str, changes: dict[str, object], measured: Measured
) -> None:
    """Their layers take hidden states and positions, and nothing from elsewhere."""
    prove_split(config_of(model_type, **changes), LayerRange(1, 3))

    ((far, cuts),) = measured
    assert far <= split_proof._TOLERANCE
    assert cuts == [LayerRange(0, 1), LayerRange(1, 3), LayerRange(3, 4)]


@pytest.mark.parametrize("layers", [(0, 4), (0, 1), (3, 4)])
def test_any_cut_of_them_passes(layers: tuple[int, int], measured: Measured) -> None:
    """First and last layers have nothing of their own."""
    prove_split(config_of("mistral"), LayerRange(*layers))

    ((far, cuts),) = measured
    assert far <= split_proof._TOLERANCE
    assert LayerRange(*layers) in cuts
    assert sum(cut.count for cut in cuts) == LAYERS


@pytest.mark.parametrize(
    ("model_type", "changes", "words"),
    [
        # The inner model scales what it is given, in every part once more.
        ("granite", {"embedding_multiplier": 12.0}, "alike in parts and whole"),
        # Layers that keep a state in place of keys per position.
        ("qwen3_next", {}, "serve"),
        ("falcon_mamba", {}, "serve"),
        # Embeddings of positions beside those of tokens.
        ("gpt2", {}, "are not a list of layers"),
    ],
)
def test_other_architectures_are_refused_with_a_sentence(
    model_type: str, changes: dict[str, object], words: str
) -> None:
    """A wrong answer without any error would be the worst of all ends."""
    with pytest.raises(ValueError, match=words):
        prove_split(config_of(model_type, **changes), LayerRange(1, 3))


@pytest.mark.parametrize("layers", [(0, 5), (4, 5), (2, 2)])
def test_layers_that_the_model_has_not_are_refused(layers: tuple[int, int]) -> None:
    """The operator's range is checked against the model, not against itself only."""
    with pytest.raises(ValueError, match="the model has layers 0-3"):
        prove_split(config_of("llama"), LayerRange(*layers))
