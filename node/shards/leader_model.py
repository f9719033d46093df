"""What the leader of a pipeline has of its model: ends, tokenizer, context, end tokens.

Decides what is read from the directory; refuses to know requests and shards.
"""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

from node.engine.begun import Reading
from node.engine.device_map import LoadedModel
from node.engine.generation_limits import context_of, end_ids_of
from node.engine.token_text import TokenText
from node.shards.codec import check_type
from node.shards.parts import Ends, load_ends


@dataclass(frozen=True, slots=True)
class LeaderSource:
    """The directory, the type that the model runs in, and torch's threads."""

    directory: Path
    data_type: str
    threads: int
    context_tokens_max: int | None


@dataclass(frozen=True, slots=True)
class LeaderModel:
    """A model without its layers. `text_of` has a tokenizer of its own."""

    ends: Ends
    tokenizer: PreTrainedTokenizerBase
    text_of: TokenText
    end_ids: frozenset[int]
    context_tokens_max: int

    @property
    def reading(self) -> Reading:
        """Return how tokens become text: on the event loop, and in a thread before."""
        return Reading(
            TokenText(self.tokenizer), self.text_of, self.end_ids, self.vocabulary_size
        )

    @property
    def vocabulary_size(self) -> int:
        """Return how many token ids the model takes."""
        return self.ends.vocabulary_size


def load_leader(source: LeaderSource) -> LeaderModel:
    """Load everything but the layers; runs in the leader's thread.

    Raises:
        ValueError: the directory holds no model that can be split.
    """
    torch.set_num_threads(source.threads)
    ends = load_ends(source.directory, data_type=source.data_type)
    check_type(ends.data_type)
    if (source.directory / "generation_config.json").is_file():
        ends.model.generation_config = GenerationConfig.from_pretrained(
            source.directory, local_files_only=True
        )
    tokenizer = AutoTokenizer.from_pretrained(
        source.directory, local_files_only=True, trust_remote_code=False
    )
    return LeaderModel(
        ends=ends,
        tokenizer=tokenizer,
        # A fast tokenizer must not be used by two threads at once: one copy each.
        text_of=TokenText(copy.deepcopy(tokenizer)),
        end_ids=end_ids_of(LoadedModel(ends.model, tokenizer, {})),
        context_tokens_max=context_of(ends.model, source.context_tokens_max),
    )
