"""An encoder made in a test: it knows two kinds of words, and which word is of which.

Words of a kind have nearly the same vector, as words of like meaning have in models
that were trained. Nothing is downloaded, and nothing is learnt.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

WIDTH = 32
WORDS = 40
WILD = tuple(f"w{chr(97 + at // 26)}{chr(97 + at % 26)}ild" for at in range(WORDS))
TAME = tuple(f"t{chr(97 + at // 26)}{chr(97 + at % 26)}ame" for at in range(WORDS))
SPECIAL = ("[PAD]", "[UNK]")


def save(directory: Path, *, seed: int = 1, kinds: bool = True) -> Path:
    """Save an encoder; without `kinds` every word has a vector of its own."""
    tokenizer().save_pretrained(directory)
    bert(seed=seed, kinds=kinds).save_pretrained(directory)
    return directory


def bert(*, seed: int = 1, kinds: bool = True) -> BertModel:
    """Return a small BERT of random weights, whose words have kinds."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(SPECIAL) + 2 * WORDS,
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
    )
    model = BertModel(config)
    if kinds:
        weight = model.embeddings.word_embeddings.weight
        with torch.no_grad():
            for begin in (len(SPECIAL), len(SPECIAL) + WORDS):
                weight[begin : begin + WORDS] += torch.randn(WIDTH)
    return model.eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words."""
    words = {word: at for at, word in enumerate((*SPECIAL, *WILD, *TAME))}
    whole = Tokenizer(WordLevel(words, unk_token="[UNK]"))  # noqa: S106 - no secret.
    whole.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=whole,
        pad_token="[PAD]",  # noqa: S106 - no secret.
        unk_token="[UNK]",  # noqa: S106 - no secret.
        model_max_length=64,
    )
