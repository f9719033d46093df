"""What was released, as facts from which any accountant can derive a cost.

Decides what must be remembered about a release; refuses to know what it costs, who
pays and where it is stored. A stored event outlives every change of accountant.
"""

from dataclasses import dataclass
from decimal import Decimal

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.policy import PrivatePolicy

SHARE_SIGMA_MIN = 1.4
SHARE_SIGMA_MAX = float(1 << 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensSampled:
    """Tokens drawn by the token mechanism under one policy, the end token included."""

    policy: PrivatePolicy
    tokens: int

    def __post_init__(self) -> None:
        if not 0 <= self.tokens <= self.policy.tokens_max:
            raise FieldInvalid(
                "tokens must lie between 0 and the policy's tokens_max.",
                field="tokens",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisedSum:
    """An integer vector sum with discrete Gaussian noise from several parties.

    `sensitivity_squared` is the squared L2 distance that one protected unit can move
    the sum; `share_sigma` is each party's noise scale in the same integer steps;
    `shares_min` counts the shares that are certain to be in the sum and unknown to
    the adversary.
    """

    sensitivity_squared: int
    share_sigma: float
    shares_min: int
    length: int

    def __post_init__(self) -> None:
        if self.sensitivity_squared < 1:
            raise FieldInvalid(
                "sensitivity_squared must be at least 1.", field="sensitivity_squared"
            )
        if self.shares_min < 1 or self.length < 1:
            raise FieldInvalid(
                "A noised sum has at least one noise share and one slot.",
                field="shares_min",
            )
        require_share_sigma(self.share_sigma)


@dataclass(frozen=True, slots=True, kw_only=True)
class PureRelease:
    """One release with a pure loss of `epsilon`, such as by Laplace noise."""

    epsilon: Decimal

    def __post_init__(self) -> None:
        if not self.epsilon.is_finite() or self.epsilon <= 0:
            raise FieldInvalid("epsilon must be finite and above 0.", field="epsilon")


@dataclass(frozen=True, slots=True)
class Composed:
    """Several releases about the same records, whichever was chosen after which."""

    parts: tuple["Event", ...]


Event = TokensSampled | NoisedSum | PureRelease | Composed


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
