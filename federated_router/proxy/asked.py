"""A request as the router takes it: its text assessed, its public features, its time.

Decides which level of sensitivity a request has before anything is chosen for it.
Refuses to know what follows from it. Private records are never looked at.
"""

from dataclasses import dataclass
from typing import cast

from federated_router.admission.ask import AdmissionAsk, priority_of
from federated_router.admission.visit import Admitted
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.identity import current_identity
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.neighbours import Assesses
from federated_router.routing.candidate import RouteQuery, Shape
from federated_router.routing.requests import assessed, query_of, shape_of
from federated_router.sensitivity.levels import Sensitivity


@dataclass(slots=True)
class Asked:
    """A checked request; `tenant` is its caller's id, `place` is it at the gate.

    Nothing of it changes but `place`, which is known last.
    """

    generation: pb.Generation
    tenant: str
    sensitivity: Sensitivity
    query: RouteQuery
    shape: Shape
    deadline: Deadline
    place: Admitted | None = None

    @property
    def told_priority(self) -> pb.Priority:
        """Return how urgent it may be, as the contract says it."""
        if self.place is None:
            return self.generation.priority
        return cast("pb.Priority", self.place.priority)

    @property
    def told_sensitivity(self) -> pb.Sensitivity:
        """Return how personal it is, as the contract says it."""
        return cast("pb.Sensitivity", self.sensitivity)

    async def turn(self) -> None:
        """Wait for a place, where this router has a gate; raises as the gate does."""
        if self.place is not None:
            await self.place.turn()

    def took(self, tokens: int) -> None:
        """Say how many tokens it took of what its tenant may take."""
        if self.place is not None:
            self.place.used(tokens)

    @property
    def admission(self) -> AdmissionAsk:
        """Return what it says of itself to be let in."""
        return AdmissionAsk(
            tenant=self.tenant,
            priority=priority_of(self.generation.priority),
            private=self.query.private,
            model=self.query.model,
            tokens=max(1, self.shape.prompt_tokens + self.shape.tokens_max),
        )


async def asked_of(
    generation: pb.Generation, deadline: Deadline, assessor: Assesses | None
) -> Asked:
    """Return a checked request of the current caller."""
    tenant = current_identity().id
    assess = None if assessor is None else assessor.assessed
    sensitivity = (await assessed(generation, assess)).level
    private = generation.HasField("private_context")
    shape = shape_of(generation, tenant=tenant)
    return Asked(
        generation=generation,
        tenant=tenant,
        sensitivity=sensitivity,
        query=query_of(
            generation,
            sensitivity=sensitivity,
            private=private,
            prompt_size=shape.prompt_tokens,
        ),
        shape=shape,
        deadline=deadline,
    )
