"""`make test-gpu`: run the tests marked `gpu` where there is a GPU, or say so."""

import sys
from pathlib import Path

import pytest
import torch

NO_GPU = (
    "No GPU here: torch finds no CUDA device, so none of these tests was run. On a "
    "machine with one, check that torch is not a CPU build.\n"
)
TIMEOUT_S = 600


def main() -> int:
    """Return pytest's exit status; 0 without a GPU, where nothing can be wrong."""
    if not torch.cuda.is_available():
        sys.stdout.write(NO_GPU)
        return 0
    folder = str(Path(__file__).parent)
    return int(
        pytest.main(
            [folder, "-m", "gpu", "-v", "--capture=no", f"--timeout={TIMEOUT_S}"]
        )
    )


if __name__ == "__main__":
    sys.exit(main())
