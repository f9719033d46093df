"""Puts together what decides where a request goes, and starts nothing.

Decides who hears of what: priors go to placement, to the choice of a model and to
carbon; trust, residency and carbon to placement. Refuses to relay requests.
"""

from dataclasses import dataclass
from functools import partial

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.embedding import Embeddings
from federated_router.choice.opening import open_embeddings
from federated_router.choice.outcomes import Outcomes
from federated_router.config import RouterSettings
from federated_router.federation.own_parts import OwnParts
from federated_router.footprint.footprints import Footprints
from federated_router.footprint.intensities import Intensities, Table
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from federated_router.registry.registry import Registry
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.candidate import NodeFacts
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.router import Router
from federated_router.sensitivity.assessment import Assessor
from federated_router.sensitivity.trust import Residency, Trust


@dataclass(frozen=True, slots=True)
class ChoosingLimb:
    """What decides in one router process."""

    router: Router
    priors: AppliedPriors
    chooser: LinearChooser
    outcomes: Outcomes
    assessor: Assessor
    trust: Trust
    footprints: Footprints
    intensities: Intensities
    clock: Clock
    embeddings: Embeddings | None = None

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the router does, by name."""
        background: dict[str, Background] = {
            "rewards": self.chooser.run,
            "outcomes": self.outcomes.run,
            "carbon": self.intensities.run,
            "own parts": partial(self.priors.run, self.clock),
        }
        if self.embeddings is not None:
            background["embeddings"] = self.embeddings.run
        return background


async def choosing_limb(
    settings: RouterSettings,
    registry: Registry,
    clock: Clock,
    *,
    own_parts: OwnParts,
) -> ChoosingLimb:
    """Return what decides where requests go; it learns of `own_parts` but once.

    Raises ConfigurationError for an encoder that cannot be loaded.
    """
    embeddings = await open_embeddings(settings.choice.embedding)
    chooser = LinearChooser(settings.choice, clock, embeddings=embeddings)
    router = Router(
        settings.routing,
        registry,
        chooser=chooser,
        closely=None if embeddings is None else embeddings.look,
        clock=clock,
    )
    intensities = Intensities(settings.footprint.carbon, clock=clock)
    trust, residency = Trust(settings.trust), Residency(settings.residency)

    def know(table: Table) -> None:
        router.know(
            NodeFacts(
                trusted_with=trust.by_node,
                trusted_by_default=trust.default,
                resident_up_to=residency.up_to,
                carbon_intensity=table,
            )
        )

    def believe(view: PriorsView) -> None:
        router.believe(view)
        chooser.believe(view.bandits, view.patterns)
        intensities.believe(view.carbon)

    intensities.on_change(know)
    return ChoosingLimb(
        router=router,
        priors=AppliedPriors(
            believe,
            kept_max=settings.routing.priors_kept_max,
            half_life_s=settings.routing.priors_half_life_s,
            own=lambda: own_parts.published,
        ),
        chooser=chooser,
        outcomes=Outcomes(settings.choice, chooser, clock),
        assessor=Assessor(settings.sensitivity, clock=clock),
        trust=trust,
        footprints=Footprints(settings.footprint, intensities),
        intensities=intensities,
        clock=clock,
        embeddings=embeddings,
    )
