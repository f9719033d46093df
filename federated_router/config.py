"""Everything a router can be told."""

from federated_router.budget.settings import BudgetSettings
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics_settings import StatisticsSettings
from federated_router.kit.config import DaemonSettings
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.settings import ProxySettings
from federated_router.registry.registry import RegistrySettings
from federated_router.routing.router import RoutingSettings
from federated_router.synthesis.settings import SynthesisSettings


class RouterSettings(DaemonSettings):
    """One router daemon; `federation` is absent where it takes part in no rounds."""

    registry: RegistrySettings = RegistrySettings()
    routing: RoutingSettings = RoutingSettings()
    proxy: ProxySettings = ProxySettings()
    budget: BudgetSettings = BudgetSettings()
    synthesis: SynthesisSettings = SynthesisSettings()
    policies: tuple[PolicySettings, ...] = ()
    statistics: StatisticsSettings = StatisticsSettings()
    federation: MembershipSettings | None = None
