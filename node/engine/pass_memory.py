"""What a pass takes besides weights and slots, for as long as it runs.

Decides by the model's widths and the shape of the pass: an upper bound for decoder
layers of attention and a gated feed-forward part, whose parts live one after the other.
Refuses to know requests. Pure. What a kernel takes inside itself is not in it.
"""

from dataclasses import dataclass

from transformers import PretrainedConfig

_WIDTHS = 10
"""Hidden states that live at once: the residual, its norm, queries, keys, values, the
attention's answer, and copies of them in other orders."""
_FEED_FORWARD_WIDTHS = 4
_FLOAT_BYTES = 4
_LOGITS_BYTES = 24
"""Of one logit: the model's own, its widened copy and what the draw makes of it."""


@dataclass(frozen=True, slots=True)
class PassShape:
    """`rows` of `tokens` each, which see `columns` positions; all of public lengths."""

    rows: int
    tokens: int
    columns: int

    @property
    def positions(self) -> int:
        """Return how many tokens go through the layers."""
        return self.rows * self.tokens


def pass_bytes(config: PretrainedConfig, shape: PassShape, element_bytes: int) -> int:
    """Return the most that the activations of such a pass take, its mask included."""
    text = config.get_text_config()
    hidden = int(text.hidden_size)
    heads = int(text.num_attention_heads)
    head = int(getattr(text, "head_dim", None) or hidden // heads)
    width = max(hidden, heads * head)
    inner = _inner_width(text, hidden)
    one = (_WIDTHS * width + _FEED_FORWARD_WIDTHS * inner) * element_bytes
    # Norms are reckoned in float32, whatever the model's type is.
    one += 2 * hidden * _FLOAT_BYTES
    # The mask as truth values, and as numbers that are added.
    one += shape.columns * (2 + element_bytes)
    return shape.positions * one + shape.rows * int(text.vocab_size) * _LOGITS_BYTES


def _inner_width(text: PretrainedConfig, hidden: int) -> int:
    named = (
        getattr(text, name, None)
        for name in ("intermediate_size", "moe_intermediate_size", "n_inner")
    )
    widest = max((int(found) for found in named if found), default=4 * hidden)
    return widest * int(getattr(text, "num_experts_per_tok", None) or 1)
