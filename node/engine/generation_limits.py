"""Where a model's answers end: its context, and its end tokens.

Decides by what the model's directory says; refuses to know requests.
"""

from transformers import PreTrainedModel

from node.engine.device_map import LoadedModel


def context_of(model: PreTrainedModel, limit: int | None) -> int:
    """Return the context in tokens, the model's own or a lower limit.

    Raises:
        ValueError: neither says how long it is.
    """
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [found for found in (own, limit) if found is not None]
    if not known:
        raise ValueError("the model names no context; set context_tokens_max")
    return int(min(known))


def end_ids_of(loaded: LoadedModel) -> frozenset[int]:
    """Return every token that ends an answer, as the model's directory says."""
    found: set[int] = set()
    for source in (loaded.model.generation_config, loaded.model.config):
        value = getattr(source, "eos_token_id", None)
        if value is not None:
            found |= {value} if isinstance(value, int) else set(value)
    if loaded.tokenizer.eos_token_id is not None:
        found.add(loaded.tokenizer.eos_token_id)
    return frozenset(found)
