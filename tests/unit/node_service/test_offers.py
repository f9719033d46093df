"""When a node offers a model: loaded here, or answering there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from federated_router.api.v1 import inference_pb2, registry_pb2
from federated_router.kit.config import ConfigurationError
from federated_router.kit.errors import Internal, Unavailable
from node.engine.chat import ChatAnswer
from node.engine.engine import (
    DEFAULT_TERMS,
    ChatMessage,
    Continuation,
    EngineLoad,
    Sampling,
    Terms,
)
from node.engine.facts import EngineFacts, EngineKind
from node.offers import Offers
from node.served_model import ServedModel
from tests.support.running import eventually


@dataclass(slots=True)
class ScriptedChat:
    """A chat engine that is there, away or broken as a test says."""

    away: Exception | None = None
    broken: ValueError | None = None
    context_tokens_max: int = 64
    running: bool = False
    probes: int = 0

    async def start(self) -> None:
        """Start, or say why not."""
        if self.broken is not None:
            raise self.broken
        self.running = True

    async def stop(self) -> None:
        """Stop."""
        self.running = False

    async def probe(self) -> None:
        """Say whether a request could begin."""
        self.probes += 1
        if self.away is not None:
            raise self.away

    def load(self) -> EngineLoad:
        """Hold nothing."""
        return EngineLoad(0, 0, 1, 0)

    def facts(self) -> EngineFacts:
        """Tell nothing."""
        return EngineFacts()

    async def begin(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        continuation: Continuation | None = None,
    ) -> ChatAnswer:
        """Nobody asks."""
        raise NotImplementedError(messages, sampling, terms, continuation)


@dataclass(slots=True)
class Desk:
    """Offers of some models, and what was announced."""

    chats: dict[str, ScriptedChat]
    kind: EngineKind = EngineKind.OPENAI
    announced: list[list[registry_pb2.ModelOffer]] = field(default_factory=list)
    tariff: registry_pb2.Tariff = field(default_factory=registry_pb2.Tariff)

    def offers(self) -> Offers:
        """Return what is tested."""
        models = [
            ServedModel(f"models/{name}", self.kind, chat, slots=3)
            for name, chat in self.chats.items()
        ]
        return Offers(
            models,
            tiers={f"models/{name}": "gold" for name in self.chats},
            announce=lambda offers: self.announced.append(list(offers)),
            probe_interval_s=0.01,
            tariff_of=lambda _: self.tariff,
            tariff_interval_s=0.03,
        )

    def names(self) -> list[list[str]]:
        """Return the models of each announcement."""
        return [
            [one.model.removeprefix("models/") for one in offers]
            for offers in self.announced
        ]


async def test_model_of_this_process_is_offered_once_it_runs() -> None:
    """With all that the router needs; nobody probes it."""
    desk = Desk({"a": ScriptedChat(away=Unavailable("x"))}, EngineKind.TRANSFORMERS)
    offers = desk.offers()

    await offers.start()

    (offer,) = desk.announced[0]
    assert offer == registry_pb2.ModelOffer(
        model="models/a",
        context_tokens_max=64,
        private_support=inference_pb2.PRIVATE_SUPPORT_REFUSED,
        slots=3,
        tier="gold",
    )
    assert desk.chats["a"].probes == 0


@pytest.mark.parametrize("away", [Unavailable("away"), Internal("key refused")])
async def test_server_that_is_away_keeps_neither_the_node_nor_others_waiting(
    away: Exception,
) -> None:
    """It is offered when it comes, withdrawn when it goes, and offered again."""
    desk = Desk({"a": ScriptedChat(away=away), "b": ScriptedChat()})
    offers = desk.offers()
    await offers.start()
    watching = asyncio.create_task(offers.watch())
    try:
        desk.chats["a"].away = None
        await eventually(lambda: len(desk.announced) == 2)
        desk.chats["a"].away = away
        await eventually(lambda: len(desk.announced) == 3)
        desk.chats["b"].away = away
        await eventually(lambda: len(desk.announced) == 4)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    assert desk.names() == [["b"], ["a", "b"], ["b"], []]


async def test_what_does_not_change_is_not_announced_again() -> None:
    """A registration for every probe would be noise."""
    desk = Desk({"a": ScriptedChat()})
    offers = desk.offers()
    await offers.start()
    watching = asyncio.create_task(offers.watch())
    await eventually(lambda: desk.chats["a"].probes > 5)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert desk.names() == [["a"]]


async def test_model_that_cannot_be_run_ends_the_start_with_a_sentence() -> None:
    """The operator reads which one and why; the daemon does not come up half."""
    why = "/m holds a model of type 'vit', which is no causal language model"
    desk = Desk({"a": ScriptedChat(broken=ValueError(why))}, EngineKind.TRANSFORMERS)

    with pytest.raises(ConfigurationError, match="models/a: /m holds a model of type"):
        await desk.offers().start()

    assert desk.announced == []


async def test_stop_ends_every_engine() -> None:
    """Also those that nobody could ask."""
    desk = Desk({"a": ScriptedChat(away=Unavailable("x")), "b": ScriptedChat()})
    offers = desk.offers()
    await offers.start()

    await offers.stop()

    assert not any(chat.running for chat in desk.chats.values())


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (EngineKind.OPENAI, "Another server"),
        (EngineKind.PIPELINE, "several nodes"),
        (EngineKind.TRANSFORMERS, "No privacy policy"),
    ],
)
def test_model_that_refuses_private_requests_says_why(
    kind: EngineKind, why: str
) -> None:
    """In the list of engines and in the refusal alike."""
    served = ServedModel("models/a", kind, ScriptedChat(), slots=1)

    assert why in served.private_refusal
    assert not served.offers_private


async def test_tariff_that_moved_is_told_again_and_a_small_move_is_not() -> None:
    """The router reckons with what tokens take lately; leases are not renewed idly."""
    desk = Desk({"a": ScriptedChat()}, tariff=registry_pb2.Tariff(prompt_joules=100.0))
    offers = desk.offers()
    await offers.start()
    watching = asyncio.create_task(offers.watch())
    try:
        desk.tariff = registry_pb2.Tariff(prompt_joules=105.0)
        await eventually(lambda: desk.chats["a"].probes > 12)
        assert len(desk.announced) == 1
        desk.tariff = registry_pb2.Tariff(prompt_joules=150.0)
        await eventually(lambda: len(desk.announced) == 2)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    told = [one.tariff.prompt_joules for (one,) in desk.announced]
    assert told == [100.0, 150.0]
