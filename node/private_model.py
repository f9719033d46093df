"""What a model needs to answer from private records, and the shapes that it proved.

Decides which policies may be decoded here: those whose rows were shown to be
independent, in the model's own thread on this machine. Refuses to know requests.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from federated_router.kit.errors import PrivateNotOffered
from federated_router.kit.log import get_logger
from federated_router.privacy.policy import PrivatePolicy
from node.engine.transformers_engine import TransformersEngine
from node.private.self_test import check_row_independence

log = get_logger("model")


@dataclass(slots=True)
class PrivateModel:
    """A model of this process, as private decoding sees it. `name` is `models/NAME`.

    `proven_shapes` holds (slots, row length) of every policy whose rows were shown to
    be independent on this machine; no other shape is decoded privately. `tokenising`
    is the lock of the tokenizer that public requests use too.
    """

    name: str
    engine: TransformersEngine
    record_template: str
    policies: Collection[PrivatePolicy]
    tokenising: asyncio.Lock
    proven_shapes: set[tuple[int, int]] = field(default_factory=set)

    async def prove(self) -> None:
        """Prove each policy's shape in the model's own thread; the engine runs."""
        for policy in self.policies:
            proof = _Proof(self.engine, policy)
            async for _ in self.engine.run_stepper(lambda proof=proof: proof):  # type: ignore[misc]
                pass
            log.info(
                "private decoding proved" if proof.passed else "private refused",
                model=self.name,
                policy=policy.name,
            )
            if proof.passed:
                self.proven_shapes.add((policy.slots, policy.row_tokens_max))

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

    def __init__(self, engine: TransformersEngine, policy: PrivatePolicy) -> None:
        self._engine = engine
        self._policy = policy
        self.passed = False

    def step(self) -> tuple[int, bool]:
        """Run the whole test; return an end token, for no text may come of it."""
        engine, policy = self._engine, self._policy
        if policy.row_tokens_max + policy.tokens_max <= engine.context_tokens_max:
            self.passed = check_row_independence(engine.model, policy).independent
        return min(engine.end_ids), True

    def close(self) -> None:
        """Nothing is held."""
