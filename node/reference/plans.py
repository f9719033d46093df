"""What is decided about a reference model before anything is trained.

Plain data, and nothing that takes seconds to import: whether a kept model is still the
right one is asked at every start, and rarely answered with a training.
"""

from dataclasses import dataclass

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Rates:
    """The full learning rates of hidden matrices and of everything else."""

    matrices: float
    others: float


@dataclass(frozen=True, slots=True)
class TokenizerPlan:
    """What a tokenizer is trained on: `chats` of the corpus that `seed` gives."""

    seed: int
    chats: int
    vocabulary_max: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The architecture of one reference model; widths in units, context in tokens."""

    layers: int
    width: int
    heads: int
    feed_forward_width: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long and how fast one model learns."""

    seed: int
    steps: int
    batch_tokens: int
    rates: Rates
    threads: int
