"""`python -m node.reference --cache DIR`: make the reference models, show progress."""

import argparse
import sys
from pathlib import Path

from node.reference.models import REFERENCE_MODELS, TrainingProgress, ensure


def main(arguments: list[str] | None = None) -> int:
    """Make the models that are missing and print where each one lies."""
    names = [model.name for model in REFERENCE_MODELS]
    parser = argparse.ArgumentParser(prog="python -m node.reference")
    parser.add_argument("--cache", type=Path, required=True, help="folder of models")
    parser.add_argument("--only", choices=names, help="make this one alone")
    chosen = parser.parse_args(arguments)
    models = [
        model for model in REFERENCE_MODELS if chosen.only in (None, model.name)
    ]  # fmt: skip
    for name, directory in ensure(chosen.cache, show, models=models).items():
        sys.stdout.write(f"{name}: {directory}\n")
    return 0


def show(progress: TrainingProgress) -> None:
    """Print one line that a person can follow."""
    sys.stdout.write(
        f"{progress.name}: step {progress.step}/{progress.steps}, "
        f"loss {progress.loss:.3f}, about {progress.remaining_s:.0f} s left\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
