"""Everything a router can be told."""

from federated_router.admission.settings import AdmissionSettings
from federated_router.budget.settings import BudgetSettings
from federated_router.cache.settings import CacheSettings
from federated_router.choice.settings import ChoiceSettings
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics_settings import StatisticsSettings
from federated_router.footprint.settings import FootprintSettings
from federated_router.kit.config import DaemonSettings
from federated_router.load.settings import LoadSettings
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.settings import ProxySettings
from federated_router.registry.registry import RegistrySettings
from federated_router.routing.settings import RoutingSettings
from federated_router.sensitivity.settings import (
    ResidencySettings,
    SensitivitySettings,
    TrustSettings,
)
from federated_router.synthesis.settings import SynthesisSettings


class RouterSettings(DaemonSettings):
    """One router daemon; `federation` is absent where it takes part in no rounds."""

    registry: RegistrySettings = RegistrySettings()
    routing: RoutingSettings = RoutingSettings()
    choice: ChoiceSettings = ChoiceSettings()
    sensitivity: SensitivitySettings = SensitivitySettings()
    trust: TrustSettings = TrustSettings()
    residency: ResidencySettings = ResidencySettings()
    footprint: FootprintSettings = FootprintSettings()
    admission: AdmissionSettings = AdmissionSettings()
    cache: CacheSettings = CacheSettings()
    load: LoadSettings = LoadSettings()
    proxy: ProxySettings = ProxySettings()
    budget: BudgetSettings = BudgetSettings()
    synthesis: SynthesisSettings = SynthesisSettings()
    policies: tuple[PolicySettings, ...] = ()
    statistics: StatisticsSettings = StatisticsSettings()
    federation: MembershipSettings | None = None
