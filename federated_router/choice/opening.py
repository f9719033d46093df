"""Opens the encoder that is configured, if one is.

Decides that torch and transformers are imported then and only then, away from the event
loop.
"""

import asyncio
from functools import partial
from typing import Final

from federated_router.choice.embedding import Embeddings
from federated_router.choice.settings import EmbeddingSettings
from federated_router.kit.config import ConfigurationError

_EXTRA: Final = ("torch", "transformers")


async def open_embeddings(settings: EmbeddingSettings | None) -> Embeddings | None:
    """Return embeddings by the model that is configured; None without one.

    Raises ConfigurationError for a model that cannot be loaded, and without the extra.
    """
    if settings is None:
        return None
    return await asyncio.to_thread(_opened, settings)


def _opened(settings: EmbeddingSettings) -> Embeddings:
    try:
        from federated_router.choice import (  # noqa: PLC0415 - An extra.
            encoder,
        )
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise ConfigurationError(
            "choice.embedding: install federated-router[embedding] for it"
        ) from error
    loaded = encoder.load_encoder(settings)
    return Embeddings(
        settings,
        loaded.embed,
        prepare=partial(encoder.use_threads, settings.threads),
    )
