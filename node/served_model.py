"""A model as the node serves it: what answers, and whether it may answer privately."""

from dataclasses import dataclass

from federated_router.kit.errors import PrivateNotOffered
from node.engine.chat import ChatEngine
from node.engine.facts import EngineKind
from node.private_model import PrivateModel

NO_PRIVATE = {
    EngineKind.OPENAI: "Another server runs this model, and nothing about its rows "
    "is known: private decoding needs them independent, and shown to be.",
    EngineKind.PIPELINE: "This model's layers run on several nodes, and private "
    "records stay at one.",
    EngineKind.SHARD: "Some of the model's layers run here, for nodes that lead "
    "pipelines; private records stay at one node.",
}
NO_POLICY = "No privacy policy is configured at this node."
NOT_PROVED = "No configured policy's rows were shown to be independent here."


@dataclass(slots=True)
class ServedModel:
    """One entry of the configuration. `name` is `models/NAME`.

    `slots` requests run at once. `private` is there where the engine runs the model in
    this process; every other kind refuses private requests.
    """

    name: str
    kind: EngineKind
    chat: ChatEngine
    slots: int
    private: PrivateModel | None = None

    @property
    def offers_private(self) -> bool:
        """Return whether at least one policy may be decoded here."""
        return self.private is not None and bool(self.private.proven_shapes)

    @property
    def private_refusal(self) -> str:
        """Return why private requests are refused; empty where they are served."""
        if self.private is None:
            return NO_PRIVATE.get(self.kind, NO_POLICY)
        if not self.private.policies:
            return NO_POLICY
        return "" if self.private.proven_shapes else NOT_PROVED

    def require_private(self) -> PrivateModel:
        """Return what private requests need; raise PrivateNotOffered, saying why."""
        if self.private is None:
            raise PrivateNotOffered(self.private_refusal, metadata={"model": self.name})
        return self.private

    async def start(self) -> None:
        """Start the engine, then prove the policies' shapes where they may be served.

        Raises:
            ValueError: what the settings name cannot be run here.
        """
        await self.chat.start()
        if self.private is not None:
            await self.private.prove()

    async def stop(self) -> None:
        """Stop the engine; idempotent."""
        await self.chat.stop()
