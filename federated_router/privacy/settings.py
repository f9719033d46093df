"""Tiers of private decoding as configuration; router and nodes read the same form."""

from decimal import Decimal

from federated_router.kit.config import ResourceId, Settings
from federated_router.privacy.policy import PrivatePolicy


class PolicySettings(Settings):
    """One tier; docs/privacy_model.md gives the formula. Decimals are text."""

    name: ResourceId
    slots: int
    clip: Decimal
    temperature: Decimal
    top_k: int
    tokens_max: int
    row_tokens_max: int
    records_per_subject: int = 1

    def policy(self) -> PrivatePolicy:
        """Return the validated policy, named `policies/NAME`."""
        return PrivatePolicy(
            name=f"policies/{self.name}",
            slots=self.slots,
            clip=self.clip,
            temperature=self.temperature,
            top_k=self.top_k,
            tokens_max=self.tokens_max,
            row_tokens_max=self.row_tokens_max,
            records_per_subject=self.records_per_subject,
        )
