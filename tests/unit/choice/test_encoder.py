"""An encoder is read from a directory or refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import T5Config, T5EncoderModel

from federated_router.choice.encoder import load_encoder
from federated_router.choice.projection import projection
from federated_router.choice.settings import EmbeddingSettings
from federated_router.kit.config import ConfigurationError
from tests.unit.choice.tiny_encoder import TAME, WIDTH, WILD, bert, tokenizer

TEXT = " ".join(WILD[:5])
SIGNS = [[-1, 1, 1, -1, 1, 1], [1, -1, -1, -1, 1, 1]]


def test_embedding_is_the_projected_direction_of_the_mean_last_hidden_state(
    encoder_directory: Path,
) -> None:
    """By hand, for a text alone: padding beside a longer one must not count."""
    encoder = load_encoder(EmbeddingSettings(model=encoder_directory, features=16))
    model, words = bert(), tokenizer()

    found = encoder.embed([TEXT, " ".join(TAME[:30])])[0]

    with torch.no_grad():
        states = model(**words(TEXT, return_tensors="pt")).last_hidden_state[0]
    mean = states.mean(dim=0).numpy()
    wanted = mean / np.linalg.norm(mean) @ projection(WIDTH, 16)
    assert np.allclose(found, wanted, atol=1e-5)


def test_words_of_one_kind_are_nearer_than_of_two(encoder_directory: Path) -> None:
    """What the encoder knows must survive mean, length and projection."""
    encoder = load_encoder(EmbeddingSettings(model=encoder_directory))

    one, other, tame = encoder.embed(
        [" ".join(words) for words in (WILD[:6], WILD[20:26], TAME[:6])]
    )

    assert one @ other > one @ tame + 0.2


def test_long_text_is_cut_off_at_the_tokens_that_are_read(
    encoder_directory: Path,
) -> None:
    """A prompt must not take as long as its sender likes, nor leave the positions."""
    settings = EmbeddingSettings(model=encoder_directory, tokens_max=8)
    encoder = load_encoder(settings)
    unlimited = load_encoder(EmbeddingSettings(model=encoder_directory, tokens_max=999))

    cut, same = encoder.embed([" ".join(WILD[:8]), " ".join(WILD[:8] + TAME)])

    assert np.allclose(cut, same, atol=1e-6)
    assert np.isfinite(unlimited.embed([" ".join(WILD * 50)])).all()


def test_directory_that_is_missing_is_refused_by_the_configuration(
    tmp_path: Path,
) -> None:
    """Whoever mistypes a path reads so before anything starts."""
    with pytest.raises(
        ValidationError, match=r"holds no model: there is no config\.json"
    ):
        EmbeddingSettings(model=tmp_path / "nothing")


def _unknown(directory: Path) -> None:
    (directory / "config.json").write_text(json.dumps({"model_type": "no-such-thing"}))


def _without_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()


def _without_tokenizer(directory: Path) -> None:
    for path in directory.glob("token*"):
        path.unlink()


def _other_weights(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    config["num_hidden_layers"] = 2
    (directory / "config.json").write_text(json.dumps(config))


def _with_decoder(directory: Path) -> None:
    config = T5Config(
        vocab_size=90, d_model=WIDTH, num_layers=1, num_heads=2, d_kv=16, d_ff=32
    )
    T5EncoderModel(config).save_pretrained(directory)
    written = json.loads((directory / "config.json").read_text())
    written.update(is_encoder_decoder=True, architectures=["T5Model"])
    (directory / "config.json").write_text(json.dumps(written))


@pytest.mark.parametrize(
    "spoil",
    [_unknown, _without_weights, _without_tokenizer, _other_weights, _with_decoder],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_encoder_is_refused_in_one_sentence(
    encoder_directory: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """A router that started with random weights would learn from noise, silently."""
    directory = copytree(encoder_directory, tmp_path / "spoilt")
    spoil(directory)

    with pytest.raises(ConfigurationError) as refused:
        load_encoder(EmbeddingSettings(model=directory))

    told = str(refused.value)
    assert told.startswith(f"choice.embedding.model: {directory} holds no encoder")
    assert "\n" not in told


def test_projection_is_the_same_everywhere_and_keeps_angles() -> None:
    """Processes of one router must see alike; a random projection keeps what is near.

    The error of an inner product of unit vectors deviates by at most sqrt(2 / k):
    .125 for k of 128; 4 of these are exceeded once in 16,000 pairs.
    """
    signs = (projection(384, 128) * np.sqrt(128)).round(3)
    assert set(np.unique(signs).tolist()) == {-1.0, 1.0}
    assert signs[:2, :6].astype(int).tolist() == SIGNS

    drawn = np.random.default_rng(3).normal(size=(50, 384)).astype(np.float32)
    units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    seen = units @ projection(384, 128)
    assert float(np.abs(seen @ seen.T - units @ units.T).max()) < 0.5
