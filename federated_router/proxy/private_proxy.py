"""Private requests: reserved, sent to one node, settled. Never retried or hedged.

Fresh randomness for the same records is another release, so there is one attempt once
the request was sent. Before that, nodes that do not accept a connection are skipped.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.cashier import Cashier, Hold
from federated_router.budget.pricing import Price, Pricer
from federated_router.kit.errors import (
    FederationError,
    NoNodeAvailable,
    PolicyUnknown,
)
from federated_router.kit.identity import current_identity
from federated_router.privacy.policy import (
    RETRIEVED_BY_CONTENT,
    SELECTED_BY_ID,
    PrivatePolicy,
)
from federated_router.proxy.checks import check_slots
from federated_router.proxy.connections import (
    Connection,
    NodeConnections,
    NodeUnreachable,
)
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.private_answers import (
    AnswerKeys,
    PrivateAnswers,
    events_of,
)
from federated_router.proxy.private_credit import CreditLine, Instalments
from federated_router.proxy.private_grant import granted
from federated_router.proxy.private_price import PrivateTerms, release_of, terms_of
from federated_router.proxy.private_relay import PrivateRelay
from federated_router.proxy.recording import Recording
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.router import Router

_MULTIPLIERS = {
    pb.SELECTION_BY_ID: SELECTED_BY_ID,
    pb.SELECTION_RETRIEVED: RETRIEVED_BY_CONTENT,
}


Reserve = Callable[[int], Awaitable[Hold]]
"""Opens the hold of a request, given how many steps it allows at first."""


class PrivateProxy:
    """Serves requests with private context."""

    def __init__(
        self,
        *,
        router: Router,
        connections: NodeConnections,
        pricer: Pricer,
        cashier: Cashier,
        answers: PrivateAnswers,
        policies: Mapping[str, PrivatePolicy],
        recording: Recording,
        settings: ProxySettings,
    ) -> None:
        self._router = router
        self._connections = connections
        self._pricer = pricer
        self._cashier = cashier
        self._answers = answers
        self._policies = policies
        self._recording = recording
        self._settings = settings

    def policy(self, name: str, selection: pb.Selection) -> PrivatePolicy:
        """Return the policy's terms for this selection; raise PolicyUnknown."""
        policy = self._policies.get(name)
        if policy is None:
            raise PolicyUnknown(
                f"No policy '{name}'; there are: {', '.join(sorted(self._policies))}.",
                metadata={"policy": name},
            )
        return replace(policy, multiplier=_MULTIPLIERS[selection])

    async def generate(
        self, generation: pb.Generation, deadline: Deadline
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream a private answer; `finished` leaves after its charge is durable."""
        context = generation.private_context
        policy = self.policy(context.policy, context.selection)
        check_slots(context, policy.slots)
        user = current_identity().id
        terms = terms_of(generation, policy)
        keys = self._answers.keys(generation, terms, user=user)
        kept = await self._answers.find(keys)
        if kept is not None:
            for event in events_of(kept):
                yield event
            return
        price = await self._pricer.price(release_of(generation, terms, user=user))

        async def reserve(steps_bound: int) -> Hold:
            return await self._cashier.reserve(
                keys.request,
                price,
                steps_max=terms.policy.tokens_max,
                steps_bound=steps_bound,
                time_s=deadline.remaining_s(),
            )

        async with aclosing(
            self.sample(generation, terms, keys, price, deadline, reserve=reserve)
        ) as responses:
            async for response in responses:
                yield response

    async def sample(
        self,
        generation: pb.Generation,
        terms: PrivateTerms,
        keys: AnswerKeys,
        price: Price,
        deadline: Deadline,
        *,
        reserve: Reserve,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Reserve, sample at one node, and settle; checks are the caller's.

        `reserve` is asked once a node accepts connections, for a hold that allows the
        first instalment.
        """
        async with AsyncExitStack() as stack:
            candidate, connection = await self._connected(generation, stack)
            stack.enter_context(self._router.counted(candidate))
            instalments = self._instalments(terms)
            hold = await reserve(instalments.first)
            relay = PrivateRelay(
                candidate=candidate,
                connection=connection,
                request=granted(generation, candidate, terms, hold),
                hold=hold,
                credit=self._credit(hold, connection, instalments),
                price=price,
                keys=keys,
                answers=self._answers,
                recording=self._recording,
                deadline=deadline,
            )
            try:
                async with aclosing(relay.events()) as responses:
                    async for response in responses:
                        yield response
            except FederationError as error:
                self._recording.failed(generation, candidate, error)
                raise
            self._recording.answered(generation, candidate)

    def _instalments(self, terms: PrivateTerms) -> Instalments:
        size = self._settings.private_instalment_tokens
        return Instalments(size, tokens_max=terms.policy.tokens_max)

    def _credit(
        self, hold: Hold, connection: Connection, instalments: Instalments
    ) -> CreditLine:
        timeout_s = self._settings.private_extend_timeout_s
        return CreditLine(hold, connection.decoding, instalments, timeout_s=timeout_s)

    async def _connected(
        self, generation: pb.Generation, stack: AsyncExitStack
    ) -> tuple[Candidate, Connection]:
        """Return a node that accepts connections; nothing is held or sent yet.

        The connection is kept for new calls until `stack` is left.
        """
        query = RouteQuery(model=generation.model, private=True)
        for _ in range(self._settings.attempts_max):
            candidate = self._router.choose(query)
            try:
                kept = self._connections.kept(candidate)
                return candidate, await stack.enter_async_context(kept)
            except NodeUnreachable:
                query = replace(query, excluded=query.excluded | {candidate.node})
        raise NoNodeAvailable("No node accepts connections now.", retry_after_s=1.0)
