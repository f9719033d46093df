"""Simulate the power of the dip test: `python -m tests.support.generate_dip_tables`.

Takes seconds, from fixed seeds. The limit is the p-value that operators see, so that
the power is the test's as it runs.
"""

from pathlib import Path
from typing import Final

import diptest
import numpy as np

SIZES: Final = (
    8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 256, 512, 1024,
)  # fmt: skip
ALPHA: Final = 0.05
SHIFTED: Final = 1 / 3
SHIFT_DEVIATIONS: Final = 6.0
SAMPLES: Final = 10_000
"""Samples drawn for one size: a power errs by 0.005 at most."""
PATH: Final = Path(__file__).parents[2] / "coordinator" / "robust" / "dip_tables.py"


def shifted(dice: np.random.Generator, size: int) -> np.ndarray:
    """Return normal values of which a third are shifted by six deviations."""
    values = dice.standard_normal(size)
    values[: round(SHIFTED * size)] += SHIFT_DEVIATIONS
    return values


def power(size: int, samples: int = SAMPLES) -> float:
    """Return how often the test finds two modes in such a sample."""
    dice = np.random.default_rng([size, samples])
    p_values = [diptest.diptest(shifted(dice, size))[1] for _ in range(samples)]
    return float(np.mean(np.array(p_values) <= ALPHA))


def main() -> None:
    """Write the module."""
    powers = tuple(round(power(size), 3) for size in SIZES)
    PATH.write_text(
        '"""Written by `python -m tests.support.generate_dip_tables`; simulated."""\n\n'
        "from typing import Final\n\n"
        f"SIZES: Final = {SIZES}\n"
        '"""Sample sizes of the powers below."""\n\n'
        f"POWERS: Final = {powers}\n"
        '"""By size: a third shifted by six deviations gives p at most 0.05."""\n'
    )


if __name__ == "__main__":
    main()
