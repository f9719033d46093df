"""A model as the node serves it: its engine, and the private terms that it proved."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from federated_router.kit.errors import PrivateNotOffered
from federated_router.kit.log import get_logger
from federated_router.privacy.policy import PrivatePolicy
from node.engine.engine import ChatMessage
from node.engine.transformers_engine import TransformersEngine
from node.private.self_test import check_row_independence

log = get_logger("model")
TOKENISE_INLINE_CHARACTERS = 4096


@dataclass(slots=True)
class ServedModel:
    """One entry of the configuration, running. `name` is `models/NAME`.

    `proven_shapes` holds (slots, row length) of every policy whose rows were shown to
    be independent on this machine; no other shape is decoded privately.
    """

    name: str
    engine: TransformersEngine
    slots: int
    record_template: str
    policies: Collection[PrivatePolicy]
    proven_shapes: set[tuple[int, int]] = field(default_factory=set)
    # A fast tokenizer must not be used by two threads at once.
    tokenising: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def offers_private(self) -> bool:
        """Return whether at least one policy may be decoded here."""
        return bool(self.proven_shapes)

    async def start(self) -> None:
        """Load the model, then prove each policy's shape in the model's own thread."""
        await self.engine.start()
        for policy in self.policies:
            proof = _Proof(self, policy)
            async for _ in self.engine.run_stepper(lambda proof=proof: proof):  # type: ignore[misc]
                pass
            log.info(
                "private decoding proved" if proof.passed else "private refused",
                model=self.name,
                policy=policy.name,
            )
            if proof.passed:
                self.proven_shapes.add((policy.slots, policy.row_tokens_max))

    async def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Tokenise a short prompt at once, a long one off the event loop."""
        async with self.tokenising:
            if sum(len(one.content) for one in messages) <= TOKENISE_INLINE_CHARACTERS:
                return self.engine.prompt_ids(messages)
            return await asyncio.to_thread(self.engine.prompt_ids, messages)

    def require_proven(self, policy: PrivatePolicy) -> None:
        """Raise PrivateNotOffered for a shape that was not proved at start."""
        if (policy.slots, policy.row_tokens_max) not in self.proven_shapes:
            raise PrivateNotOffered(
                "This node has not proved that rows of this shape are independent; "
                "configure the policy at the node.",
                metadata={"policy": policy.name, "model": self.name},
            )


class _Proof:
    """The self-test of one policy, as a job of the model thread.

    Kernels may differ by thread count, so it must run where private sessions will.
    """

    def __init__(self, served: ServedModel, policy: PrivatePolicy) -> None:
        self._served = served
        self._policy = policy
        self.passed = False

    def step(self) -> tuple[int, bool]:
        """Run the whole test; return an end token, for no text may come of it."""
        engine, policy = self._served.engine, self._policy
        if policy.row_tokens_max + policy.tokens_max <= engine.context_tokens_max:
            self.passed = check_row_independence(engine.model, policy).independent
        return min(engine.end_ids), True

    def close(self) -> None:
        """Nothing is held."""
