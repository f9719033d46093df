"""Makes one reference model in a folder: tokenizer, training, files.

The only door from a plan to torch; refuses to know names, caches and progress lines.
"""

from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from node.reference.plans import ModelShape, TokenizerPlan, TrainingPlan
from node.reference.tokenizer import train_tokenizer
from node.reference.training import Report, train


def make(
    directory: Path,
    shape: ModelShape,
    tokenizer_plan: TokenizerPlan,
    plan: TrainingPlan,
    report: Report,
) -> None:
    """Train tokenizer and model, and write both as an ordinary model directory."""
    tokenizer = train_tokenizer(tokenizer_plan, context_tokens=shape.context_tokens)
    # The progress told is the training; writing takes no time.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    trained = train(shape, plan, tokenizer, report)
    trained.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
