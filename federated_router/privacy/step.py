"""The mechanisms whose runs the ledger charges, as facts that any accountant can read.

Decides what must be remembered of one run, and within which ranges its parameters are
taken; refuses to know what it costs, who pays and how often it ran. A stored step
outlives every change of accountant, so the meaning of a field never changes.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.policy import PrivatePolicy, require_selection_terms

SHARE_SIGMA_MIN = 1.4
SHARE_SIGMA_MAX = float(1 << 40)
PARAMETER_MIN = Fraction(1, 10**9)
PARAMETER_MAX = Fraction(10**9)
DECIMAL_PLACES_MAX = 18
_COUNT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStep:
    """One token drawn by the token mechanism; the fields are those of PrivatePolicy."""

    slots: int
    clip: Decimal
    temperature: Decimal
    multiplier: int
    records_per_subject: int

    def __post_init__(self) -> None:
        require_selection_terms(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianStep:
    """Gaussian noise of standard deviation `scale` on a number or on each count.

    `sensitivity_squared` is the squared L2 distance that one protected unit can move
    the true answer. Discrete Gaussian noise loses no more (Canonne, Kamath and Steinke
    2020, theorem 4), so one step describes both.
    """

    sensitivity_squared: Fraction
    scale: Fraction

    def __post_init__(self) -> None:
        _require_plain(
            "sensitivity_squared",
            self.sensitivity_squared,
            least=PARAMETER_MIN**2,
            most=PARAMETER_MAX**2,
            places=2 * DECIMAL_PLACES_MAX,
        )
        _require_parameter("scale", self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplaceStep:
    """Laplace noise of `scale` on a number; its variance is 2 scale^2.

    `sensitivity` is the distance that one protected unit can move the number.
    """

    sensitivity: Fraction
    scale: Fraction

    def __post_init__(self) -> None:
        _require_parameter("sensitivity", self.sensitivity)
        _require_parameter("scale", self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteLaplaceStep:
    """Whole Laplace noise of `scale` on each count, of mass ~ exp(-|x| / scale).

    `sensitivity` is the L1 distance that one protected unit can move the counts. At
    equal scale this loses more than LaplaceStep, clearly so for scales below 3.
    """

    sensitivity: Fraction
    scale: Fraction

    def __post_init__(self) -> None:
        _require_parameter("sensitivity", self.sensitivity)
        _require_parameter("scale", self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionStep:
    """One candidate drawn with probability proportional to exp(score / temperature).

    The exponential mechanism. `sensitivity` is the most that one protected unit can
    move any score; `monotonic` says that it moves all scores up, or all down.
    """

    sensitivity: Fraction
    temperature: Fraction
    monotonic: bool

    def __post_init__(self) -> None:
        _require_parameter("sensitivity", self.sensitivity)
        _require_parameter("temperature", self.temperature)
        if not isinstance(self.monotonic, bool):
            raise FieldInvalid("monotonic is true or false.", field="monotonic")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisedSumStep:
    """An integer vector sum with discrete Gaussian noise from several parties.

    `sensitivity_squared` is the squared L2 distance that one protected unit can move
    the sum; `share_sigma` is each party's noise scale in the same integer steps;
    `shares_min` counts the shares that are certain to be in the sum and unknown to
    the adversary; `length` counts the slots.
    """

    sensitivity_squared: int
    share_sigma: float
    shares_min: int
    length: int

    def __post_init__(self) -> None:
        for field in ("sensitivity_squared", "shares_min", "length"):
            _require_count(field, getattr(self, field))
        require_share_sigma(self.share_sigma)


Step = (
    TokenStep
    | GaussianStep
    | LaplaceStep
    | DiscreteLaplaceStep
    | SelectionStep
    | NoisedSumStep
)


def token_step(policy: PrivatePolicy) -> TokenStep:
    """Return the step that each token sampled under `policy` is."""
    return TokenStep(
        slots=policy.slots,
        clip=policy.clip,
        temperature=policy.temperature,
        multiplier=policy.multiplier,
        records_per_subject=policy.records_per_subject,
    )


def require_share_sigma(share_sigma: float) -> None:
    """Refuse a noise scale outside [1.4, 2^40]; NaN lies outside.

    Below 1.4 the bound on a sum of discrete Gaussians is far above a Gaussian's: at
    share 1.0 it is twenty times, at 0.6 it says nothing.
    """
    if not SHARE_SIGMA_MIN <= share_sigma <= SHARE_SIGMA_MAX:
        raise FieldInvalid(
            "The noise scale of one share must lie between 1.4 and 2^40 steps; "
            "use a finer quantisation step or fewer parties.",
            field="share_sigma",
        )


def _require_parameter(field: str, value: object) -> None:
    _require_plain(
        field,
        value,
        least=PARAMETER_MIN,
        most=PARAMETER_MAX,
        places=DECIMAL_PLACES_MAX,
    )


def _require_plain(
    field: str, value: object, *, least: Fraction, most: Fraction, places: int
) -> None:
    """Refuse what is no plain decimal: floats, thirds, subnormal and huge numbers."""
    if not isinstance(value, Fraction):
        raise FieldInvalid(f"{field} must be exact, no float.", field=field)
    if not least <= value <= most:
        raise FieldInvalid(
            f"{field} must lie between {float(least):g} and {float(most):g}.",
            field=field,
        )
    if 10**places % value.denominator:
        raise FieldInvalid(
            f"{field} must be a decimal of at most {places} places; round a "
            "sensitivity up and a scale down.",
            field=field,
        )


def _require_count(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldInvalid(f"{field} must be a whole number.", field=field)
    if not 1 <= value <= _COUNT_MAX:
        raise FieldInvalid(f"{field} must lie between 1 and 2^63 - 1.", field=field)
