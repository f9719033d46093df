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
from federated_router.kit.errors import FederationError, NodeLost, PolicyUnknown
from federated_router.privacy.policy import (
    RETRIEVED_BY_CONTENT,
    SELECTED_BY_ID,
    PrivatePolicy,
)
from federated_router.proxy.asked import Asked, asked_of
from federated_router.proxy.bill import Bill
from federated_router.proxy.checks import check_slots
from federated_router.proxy.connections import Connection
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.neighbours import Neighbours
from federated_router.proxy.private_answers import (
    AnswerKeys,
    PrivateAnswers,
    free_events_of,
)
from federated_router.proxy.private_credit import CreditLine, Instalments
from federated_router.proxy.private_grant import granted
from federated_router.proxy.private_places import PrivatePlaces
from federated_router.proxy.private_price import PrivateTerms, release_of, terms_of
from federated_router.proxy.private_relay import PrivateRelay
from federated_router.proxy.recording import Recording
from federated_router.proxy.sent import Sent
from federated_router.proxy.settings import ProxySettings

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
        places: PrivatePlaces,
        neighbours: Neighbours,
        pricer: Pricer,
        cashier: Cashier,
        answers: PrivateAnswers,
        policies: Mapping[str, PrivatePolicy],
        recording: Recording,
        settings: ProxySettings,
    ) -> None:
        self._places = places
        self._neighbours = neighbours
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

    async def generate(self, asked: Asked) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream a private answer; `finished` leaves after its charge is durable."""
        generation, deadline = asked.generation, asked.deadline
        context = generation.private_context
        policy = self.policy(context.policy, context.selection)
        check_slots(context, policy.slots)
        terms = terms_of(generation, policy)
        keys = self._answers.keys(generation, terms, user=asked.tenant)
        kept = await self._answers.find(keys)
        if kept is not None:
            self._told_again(asked, kept)
            for event in free_events_of(kept):
                yield event
            return
        await asked.turn()
        price = await self._pricer.price(
            release_of(generation, terms, user=asked.tenant)
        )

        async def reserve(steps_bound: int) -> Hold:
            return await self._cashier.reserve(
                keys.request,
                price,
                steps_max=terms.policy.tokens_max,
                steps_bound=steps_bound,
                time_s=deadline.remaining_s(),
            )

        async with aclosing(
            self._sampled(asked, terms, keys, price, reserve=reserve)
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
        asked = await asked_of(generation, deadline, self._neighbours.assessor)
        async with aclosing(
            self._sampled(asked, terms, keys, price, reserve=reserve)
        ) as responses:
            async for response in responses:
                yield response

    async def _sampled(
        self,
        asked: Asked,
        terms: PrivateTerms,
        keys: AnswerKeys,
        price: Price,
        *,
        reserve: Reserve,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        async with AsyncExitStack() as stack:
            connection, sent = await self._places.connected(asked, stack)
            candidate = sent.candidate
            instalments = self._instalments(terms)
            hold = await reserve(instalments.first)
            request = granted(asked.generation, candidate, terms, hold)
            request.generation.priority = asked.told_priority
            relay = PrivateRelay(
                candidate=candidate,
                connection=connection,
                request=request,
                hold=hold,
                credit=self._credit(hold, connection, instalments),
                price=price,
                keys=keys,
                answers=self._answers,
                recording=self._recording,
                deadline=asked.deadline,
            )
            try:
                async with aclosing(relay.events()) as responses:
                    async for response in responses:
                        self._told(asked, sent, response)
                        yield response
            except FederationError as error:
                sent.failed(error, lost=isinstance(error, NodeLost))
                self._recording.failed(asked.generation, candidate, error)
                raise
            self._recording.answered(asked.generation, candidate)

    def _told(self, asked: Asked, sent: Sent, response: pb.GenerateResponse) -> None:
        """Note an event, and add what routers say of it; what is kept has no such."""
        match response.WhichOneof("event"):
            case "started":
                response.started.sensitivity = asked.told_sensitivity
            case "chunk":
                sent.first_token()
            case "finished":
                finished = response.finished
                served = sent.succeeded(finished)
                asked.took(finished.prompt_tokens + finished.completion_tokens)
                bill = Bill(self._neighbours.footprints, asked.tenant)
                bill.close(
                    sent.candidate,
                    finished,
                    tokens=served.completion_tokens,
                )

    def _told_again(self, asked: Asked, kept: pb.CompleteResponse) -> None:
        """Say of a stored answer that it took nothing."""
        asked.took(0)
        kept.started.sensitivity = asked.told_sensitivity
        kept.finished.footprint.CopyFrom(pb.Footprint(co2e_mg=0.0))
        if self._neighbours.footprints is not None:
            self._neighbours.footprints.add_cached(asked.tenant)

    def _instalments(self, terms: PrivateTerms) -> Instalments:
        size = self._settings.private_instalment_tokens
        return Instalments(size, tokens_max=terms.policy.tokens_max)

    def _credit(
        self, hold: Hold, connection: Connection, instalments: Instalments
    ) -> CreditLine:
        timeout_s = self._settings.private_extend_timeout_s
        return CreditLine(hold, connection.decoding, instalments, timeout_s=timeout_s)
