"""A byte-level BPE tokenizer, trained on the corpus, with a chat template.

Decides the special tokens and how a chat becomes one text; refuses to know the model.
Byte level means that no text is out of vocabulary: what the corpus never said is
spelled in bytes.
"""

from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from node.reference.corpus import conversations
from node.reference.plans import CHAT_TEMPLATE, TokenizerPlan

PAD = "<|pad|>"
BEGIN = "<|begin|>"
END = "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
SPECIAL_TOKENS = (PAD, BEGIN, END, *ROLES)


def train_tokenizer(
    plan: TokenizerPlan, *, context_tokens: int
) -> PreTrainedTokenizerFast:
    """Train on the corpus; the same plan gives the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=plan.vocabulary_max,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(plan.seed, plan.chats), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=context_tokens,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _texts(seed: int, count: int) -> Iterator[str]:
    for chat in conversations(seed, count):
        for turn in chat:
            yield turn.content
