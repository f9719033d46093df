"""Prompts as a chooser sees them through an encoder, for evaluations.

Decides that every prompt is embedded before the first is chosen for: what is measured
is what an embedding is worth, not whether it comes in time.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from federated_router.choice.encoder import load_encoder
from federated_router.choice.settings import ChoiceSettings, EmbeddingSettings
from federated_router.choice.sight import Sight, sight_of
from federated_router.priors.prompt import Prompt

_AT_ONCE = 32


def embedded(
    prompts: Sequence[Prompt], directory: Path
) -> tuple[ChoiceSettings, Callable[[Prompt], Sight]]:
    """Return a chooser's settings and eyes: `LinearChooser(settings, clock, see=see)`.

    `see` knows these prompts alone. Takes an encoder's pass for each. Raises
    ConfigurationError for a directory without one.
    """
    settings = ChoiceSettings(embedding=EmbeddingSettings(model=directory))
    assert settings.embedding is not None
    encoder = load_encoder(settings.embedding)
    seen: dict[Prompt, Sight] = {}
    for begin in range(0, len(prompts), _AT_ONCE):
        some = prompts[begin : begin + _AT_ONCE]
        rows = encoder.embed([prompt.text for prompt in some])
        for prompt, row in zip(some, rows, strict=True):
            sight = sight_of(prompt, word_features=settings.word_features)
            place = settings.embedding_place
            seen[prompt] = sight.with_embedding(row, place=place)
    return settings, seen.__getitem__
