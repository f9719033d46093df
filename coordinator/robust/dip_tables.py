"""Written by `python -m tests.support.generate_dip_tables`; simulated."""

from typing import Final

SIZES: Final = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 256, 512, 1024)
"""Sample sizes of the powers below."""

POWERS: Final = (
    0.221,
    0.158,
    0.135,
    0.388,
    0.38,
    0.376,
    0.599,
    0.619,
    0.77,
    0.873,
    0.893,
    0.975,
    0.988,
    1.0,
    1.0,
    1.0,
    1.0,
)
"""By size: a third shifted by six deviations gives p at most 0.05."""
