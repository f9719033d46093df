"""The exact (epsilon, delta) of one Gaussian release, in doubles, for reports.

Decides epsilon from the ratio of scale to sensitivity; refuses to know steps, counts
and budgets. Balle and Wang 2018, "Improving the Gaussian Mechanism for Differential
Privacy", theorem 8: with mu = sensitivity / scale,

    delta = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu)

computed as phi(a) (M(a) - M(b)), a and b being the two arguments and M = Phi / phi,
because e^epsilon phi(b) = phi(a): nothing overflows, and small deltas keep digits.
"""

import math

_HALVINGS = 100
_FRACTION_FROM = 5.0
_FRACTION_TERMS = 40
_SQRT_TWO = math.sqrt(2.0)
_SQRT_HALF_PI = math.sqrt(math.pi / 2.0)
_LOG_SQRT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def gaussian_epsilon(ratio: float, *, delta: float) -> float:
    """Return the least epsilon at `delta` for a scale of `ratio` sensitivities.

    Continuous noise is meant; discrete noise on counts is close to it from a ratio of
    about 2 on, and no figure here is a theorem about it.
    """
    mu = 1.0 / ratio
    if math.erf(mu / (2.0 * _SQRT_TWO)) <= delta:
        return 0.0
    log_delta = math.log(delta)
    low, high = 0.0, mu
    while _log_delta(mu, high) > log_delta:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if _log_delta(mu, middle) > log_delta:
            low = middle
        else:
            high = middle
    return high


def _log_delta(mu: float, epsilon: float) -> float:
    """Return ln delta; -inf where the difference has no digits left."""
    near, far = mu / 2.0 - epsilon / mu, -mu / 2.0 - epsilon / mu
    log_density = -near * near / 2.0 - _LOG_SQRT_TWO_PI
    if near > 0.0:
        # delta is of order 1 here, or mu is small and the digits suffice.
        within = math.erfc(-near / _SQRT_TWO) / 2.0
        delta = within - math.exp(log_density) * _mills(far)
        return math.log(delta) if delta > 0.0 else -math.inf
    difference = _mills(near) - _mills(far)
    return log_density + math.log(difference) if difference > 0.0 else -math.inf


def _mills(x: float) -> float:
    """Return Phi(x) / phi(x) for x <= 0, by erfc or, far out, a continued fraction."""
    z = -x / _SQRT_TWO
    if z < _FRACTION_FROM:
        return _SQRT_HALF_PI * math.exp(z * z) * math.erfc(z)
    tail = z
    for term in range(_FRACTION_TERMS, 0, -1):
        tail = z + term / 2.0 / tail
    return 1.0 / (_SQRT_TWO * tail)
