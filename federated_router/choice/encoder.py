"""A model of sentences: text in, a few numbers that say what it is about.

Decides how a model is loaded and which of its numbers are taken: the last hidden state,
its mean over the text's tokens, drawn to length 1, projected. Refuses to know prompts
and deadlines, and to fetch anything: the directory holds all there is. No code of the
directory is run: its weights are safetensors, its classes those of transformers.

This module imports torch and transformers; it is imported where an encoder is
configured and nowhere else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from federated_router.choice.projection import Reals, projection
from federated_router.choice.settings import EmbeddingSettings
from federated_router.kit.config import ConfigurationError

_SETTING: Final = "choice.embedding.model"
_UNUSED: Final = "pooler."
"""Weights that a checkpoint may lack: they come after the last hidden state."""

_TRIED: Final = "Is this text read? 12 + 3, perhaps. "


class Encoder:
    """An encoder that is loaded; texts are cut off at `tokens_max` tokens."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        features: int,
        tokens_max: int,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._tokens_max = tokens_max
        self._projection = projection(model.config.hidden_size, features)

    def embed(self, texts: Sequence[str]) -> Reals:
        """Return one row for each text, of the shape (texts, features); takes ms each.

        Raises ValueError if the model gives something else than numbers.
        """
        tokens = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._tokens_max,
            return_tensors="pt",
        )
        with torch.inference_mode():
            states = self._model(**tokens).last_hidden_state.float()
            mask = tokens["attention_mask"].unsqueeze(-1).float()
            means = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
            rows = torch.nn.functional.normalize(means, dim=1).numpy()
        found = np.asarray(rows @ self._projection, dtype=np.float32)
        if not np.isfinite(found).all():
            raise ValueError("The encoder's numbers are not finite.")
        return found


def load_encoder(settings: EmbeddingSettings) -> Encoder:
    """Load the encoder that is configured, and try it; takes seconds, for a thread.

    Raises ConfigurationError, in a sentence, for a directory that holds none.
    """
    # A daemon has a log, not a terminal.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        encoder = _loaded(settings)
        longest = encoder.embed([_TRIED, _TRIED * settings.tokens_max])
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ImportError,
        RuntimeError,
    ) as error:
        raise _refused(settings.model, _first_line(error)) from error
    if longest.shape != (2, settings.features):
        raise _refused(settings.model, "it gives no hidden state for each token")
    return encoder


def use_threads(count: int) -> None:
    """Let the thread that calls this compute with so many: OpenMP counts per thread."""
    torch.set_num_threads(count)


def _loaded(settings: EmbeddingSettings) -> Encoder:
    model, report = AutoModel.from_pretrained(
        settings.model,
        dtype=torch.float32,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    if model.config.is_encoder_decoder:
        raise ValueError("it is an encoder with a decoder; name an encoder")
    missing = [one for one in report["missing_keys"] if not one.startswith(_UNUSED)]
    if missing:
        raise ValueError(f"{len(missing)} of its weights are missing")
    model.eval().requires_grad_(requires_grad=False)
    tokenizer = AutoTokenizer.from_pretrained(
        settings.model, local_files_only=True, trust_remote_code=False
    )
    # Without its files transformers makes one that knows a handful of signs.
    if 2 * len(tokenizer) < model.config.vocab_size:
        raise ValueError(
            f"its tokenizer knows {len(tokenizer)} of {model.config.vocab_size} tokens"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Encoder(
        model,
        tokenizer,
        features=settings.features,
        tokens_max=_tokens_max(settings, model, tokenizer),
    )


def _tokens_max(
    settings: EmbeddingSettings,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
) -> int:
    """Return how many tokens are read: as configured, and as the model can."""
    positions = getattr(model.config, "max_position_embeddings", settings.tokens_max)
    limits = (settings.tokens_max, positions, tokenizer.model_max_length)
    return min(int(cast("int", one)) for one in limits)


def _refused(directory: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_SETTING}: {directory} holds no encoder that can be loaded: {why}"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
