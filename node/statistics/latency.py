"""How long a request took, in the one unit that models and prompts share.

Decides what latency means: the time from acceptance to the last token, divided by the
tokens that were generated. Refuses to know clocks and where the figure goes.
"""

from typing import Final

MS_PER_S: Final = 1000.0


def latency_ms_per_token(*, duration_s: float, tokens: int) -> float:
    """Return milliseconds per output token.

    An answer without a token, such as an immediate end, counts as one token: the model
    ran once for it.
    """
    return max(duration_s, 0.0) * MS_PER_S / max(tokens, 1)
