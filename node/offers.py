"""Which models the router is told that this node serves, and since when.

Decides when a model is offered: one that runs in this process once it is loaded and
proved, one that others run for as long as they answer its probe; and when a tariff that
moved is told again. Refuses to know leases, how a model runs and how a tariff is made.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from federated_router.api.v1 import inference_pb2, registry_pb2
from federated_router.kit.config import ConfigurationError
from federated_router.kit.errors import FederationError
from federated_router.kit.log import get_logger
from node.engine.facts import EngineKind
from node.served_model import ServedModel
from node.statistics.tariffs import moved

log = get_logger("offers")
RUN_BY_OTHERS = frozenset({EngineKind.OPENAI, EngineKind.PIPELINE})
Announce = Callable[[Sequence[registry_pb2.ModelOffer]], None]
TariffOf = Callable[[str], registry_pb2.Tariff]


def _no_tariff(_: str) -> registry_pb2.Tariff:
    return registry_pb2.Tariff()


class Offers:
    """Starts the models of a node, and announces those that can be asked for.

    `tiers` is by `models/NAME`. A model that others run is probed every
    `probe_interval_s`; a request to it meanwhile fails by itself, so that one missed
    probe is enough to withdraw the offer and one that succeeds to make it again.

    Tariffs are looked at every `tariff_interval_s`, and told again where one moved by
    `tariff_move_min` of itself: to tell is to register anew.
    """

    def __init__(
        self,
        models: Collection[ServedModel],
        *,
        tiers: Mapping[str, str],
        announce: Announce,
        probe_interval_s: float,
        tariff_of: TariffOf = _no_tariff,
        tariff_interval_s: float = 60.0,
        tariff_move_min: float = 0.1,
    ) -> None:
        self._models = models
        self._tiers = tiers
        self._announce = announce
        self._probe_interval_s = probe_interval_s
        self._tariff_of = tariff_of
        self._tariff_interval_s = tariff_interval_s
        self._tariff_move_min = tariff_move_min
        self._offered: set[str] = set()
        self._told: dict[str, registry_pb2.Tariff] = {}

    @property
    def probed(self) -> list[ServedModel]:
        """Return the models that others run."""
        return [served for served in self._models if served.kind in RUN_BY_OTHERS]

    async def start(self) -> None:
        """Start every engine and announce what is ready.

        Raises:
            ConfigurationError: a model cannot be run here; the sentence says why.
        """
        for served in self._models:
            try:
                await served.start()
            except ValueError as error:
                raise ConfigurationError(f"{served.name}: {error}") from error
            if served.kind not in RUN_BY_OTHERS:
                self._offered.add(served.name)
        await self._probe_all()
        for served in self._models:
            if served.name not in self._offered:
                log.warning("model not offered yet", model=served.name)
        self._tell()

    async def stop(self) -> None:
        """Stop every engine."""
        await asyncio.gather(*(served.stop() for served in self._models))

    async def watch(self) -> None:
        """Probe what others run, and look at tariffs, for ever; announce changes."""
        since_look_s = 0.0
        while True:
            await asyncio.sleep(self._probe_interval_s)
            since_look_s += self._probe_interval_s
            before = set(self._offered)
            await self._probe_all()
            look = since_look_s >= self._tariff_interval_s
            since_look_s = 0.0 if look else since_look_s
            if before != self._offered or (look and self._tariffs_moved()):
                self._tell()

    def _tariffs_moved(self) -> bool:
        return any(
            moved(told, self._tariff_of(model), share_min=self._tariff_move_min)
            for model, told in self._told.items()
        )

    async def _probe_all(self) -> None:
        await asyncio.gather(*map(self._probe, self.probed))

    async def _probe(self, served: ServedModel) -> None:
        """Note whether the model can be asked for; say so where that is news."""
        try:
            await served.chat.probe()
        except FederationError as error:
            if served.name in self._offered:
                log.warning("offer withdrawn", model=served.name, reason=error.reason)
            self._offered.discard(served.name)
        else:
            if served.name not in self._offered:
                log.info("model ready", model=served.name)
            self._offered.add(served.name)

    def _tell(self) -> None:
        offered = [served for served in self._models if served.name in self._offered]
        self._told = {served.name: self._tariff_of(served.name) for served in offered}
        self._announce(
            [
                offer_of(
                    served,
                    tier=self._tiers[served.name],
                    tariff=self._told[served.name],
                )
                for served in offered
            ]
        )


def offer_of(
    served: ServedModel, *, tier: str, tariff: registry_pb2.Tariff
) -> registry_pb2.ModelOffer:
    """Return what the router is told of a model; an empty tariff is left out."""
    return registry_pb2.ModelOffer(
        model=served.name,
        context_tokens_max=served.chat.context_tokens_max,
        private_support=private_support(served),
        slots=served.slots,
        tier=tier,
        tariff=tariff if tariff.ByteSize() else None,
    )


def private_support(served: ServedModel) -> inference_pb2.PrivateSupport:
    """Return whether the model proved its rows independent."""
    if served.offers_private:
        return inference_pb2.PRIVATE_SUPPORT_OFFERED
    return inference_pb2.PRIVATE_SUPPORT_REFUSED
