"""Private requests: reserved, sent to one node, settled. Never retried or hedged.

Fresh randomness for the same records is another release, so there is one attempt once
the request was sent. Before that, nodes that do not accept a connection are skipped.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.budget.answers import Answer
from federated_router.budget.cashier import Cashier, Hold
from federated_router.budget.pricing import Price, Pricer
from federated_router.budget.reservation import ReleaseCause
from federated_router.kit.errors import (
    FederationError,
    Internal,
    NodeLost,
    NoNodeAvailable,
    PolicyUnknown,
    Unavailable,
)
from federated_router.kit.grpc_errors import answered_by_peer, translate
from federated_router.kit.identity import current_identity
from federated_router.kit.log import get_logger
from federated_router.privacy.policy import (
    RETRIEVED_BY_CONTENT,
    SELECTED_BY_ID,
    PrivatePolicy,
)
from federated_router.proxy.checks import check_slots
from federated_router.proxy.connections import (
    NodeConnections,
    NodeUnreachable,
    lost_if_dropped,
)
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.private_answers import (
    AnswerKeys,
    AnswerSoFar,
    PrivateAnswers,
    events_of,
)
from federated_router.proxy.private_charge import refund_cause
from federated_router.proxy.private_price import PrivateTerms, release_of, terms_of
from federated_router.proxy.recording import Recording
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.router import Router

log = get_logger("private")
_MULTIPLIERS = {
    pb.SELECTION_BY_ID: SELECTED_BY_ID,
    pb.SELECTION_RETRIEVED: RETRIEVED_BY_CONTENT,
}


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
        async with aclosing(
            self._sample(generation, terms, keys, price, deadline)
        ) as responses:
            async for response in responses:
                yield response

    async def _sample(
        self,
        generation: pb.Generation,
        terms: PrivateTerms,
        keys: AnswerKeys,
        price: Price,
        deadline: Deadline,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Reserve, sample at one node, and settle."""
        candidate, stub = await self._connected(generation)
        with self._router.counted(candidate):
            hold = await self._cashier.reserve(
                keys.request,
                price,
                steps_max=terms.policy.tokens_max,
                time_s=deadline.remaining_s(),
            )
            request = _granted(generation, candidate, terms, hold)
            try:
                async with aclosing(
                    self._relay(
                        stub=stub,
                        request=request,
                        candidate=candidate,
                        hold=hold,
                        deadline=deadline,
                        keys=keys,
                        price=price,
                    )
                ) as responses:
                    async for response in responses:
                        yield response
            except FederationError as error:
                self._recording.failed(generation, candidate, error)
                raise
            self._recording.answered(generation, candidate)

    async def _connected(
        self, generation: pb.Generation
    ) -> tuple[Candidate, pb_grpc.InferenceServiceStub]:
        """Return a node that accepts connections; nothing is held or sent yet."""
        query = RouteQuery(model=generation.model, private=True)
        for _ in range(self._settings.attempts_max):
            candidate = self._router.choose(query)
            try:
                return candidate, await self._connections.stub(candidate)
            except NodeUnreachable:
                query = replace(query, excluded=query.excluded | {candidate.node})
        raise NoNodeAvailable("No node accepts connections now.", retry_after_s=1.0)

    async def _relay(
        self,
        *,
        stub: pb_grpc.InferenceServiceStub,
        request: pb.GenerateRequest,
        candidate: Candidate,
        hold: Hold,
        deadline: Deadline,
        keys: AnswerKeys,
        price: Price,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Relay one call, and settle its hold however it ends."""
        call, so_far = None, AnswerSoFar()
        try:
            remaining_s = await _remaining(deadline, hold)
            with lost_if_dropped(candidate.node):
                call = stub.Generate(
                    request,
                    timeout=remaining_s,
                    metadata=self._recording.metadata(candidate),
                )
                async for response in call:
                    event = response.WhichOneof("event")
                    so_far.add(response)
                    if event == "started":
                        response.started.reservation = hold.name
                    elif event == "finished":
                        answer = self._answers.stored(keys, so_far)
                        await _settle_finished(hold, price, response.finished, answer)
                    yield response
            if not hold.is_settled:
                raise Internal("The node ended a private answer without its count.")
        except grpc.aio.AioRpcError as error:
            raise await self._settle_failed(hold, candidate, error) from error
        except NodeLost:
            raise self._lost(hold, candidate) from None
        finally:
            if call is not None:
                call.cancel()
            if not hold.is_settled:
                log.warning("charged in full", reservation=hold.name)
                await hold.commit_in_full()

    async def _settle_failed(
        self, hold: Hold, candidate: Candidate, error: grpc.aio.AioRpcError
    ) -> FederationError:
        """Settle after a failed call: refund only what certainly cost nothing."""
        known = translate(error)
        if answered_by_peer(error):
            cause = refund_cause(known)
            if cause is not None and not hold.is_settled:
                await hold.release(cause)
            return known
        return self._lost(hold, candidate) if isinstance(known, Unavailable) else known

    def _lost(self, hold: Hold, candidate: Candidate) -> NodeLost:
        """Count a node that was lost, and return what its caller is told."""
        self._recording.lost(candidate, private=True)
        return NodeLost(
            "The node was lost while it answered; what the request could cost at "
            "most was charged, because nobody can tell what was sampled.",
            metadata={"node": candidate.node, "reservation": hold.name},
        )


async def _remaining(deadline: Deadline, hold: Hold) -> float:
    """Return the time left; release the hold where none is."""
    try:
        return deadline.remaining_s()
    except FederationError:
        await hold.release(ReleaseCause.DEADLINE_BEFORE_START)
        raise


async def _settle_finished(
    hold: Hold, price: Price, finished: pb.Finished, answer: Answer | None
) -> None:
    """Commit what the node sampled, and keep the answer with it.

    The ledger refuses a count that cannot be; the hold is then charged in full.
    """
    tokens = finished.completion_tokens
    await hold.commit(tokens, answer)
    finished.charge.tokens = tokens
    finished.charge.units = tokens * price.dataset_step_units
    finished.charge.accounts.extend(price.accounts)


def _granted(
    generation: pb.Generation, candidate: Candidate, terms: PrivateTerms, hold: Hold
) -> pb.GenerateRequest:
    """Return the request with the grant that lets the node sample."""
    request = pb.GenerateRequest(generation=generation)
    request.generation.model = candidate.model
    grant = request.generation.private_context.grant
    grant.reservation = hold.name
    grant.token_charge_units = terms.token_units
    grant.parameters.CopyFrom(parameters_message(terms.policy))
    return request


def parameters_message(policy: PrivatePolicy) -> pb.PrivacyParameters:
    """Return a policy's terms for the wire."""
    return pb.PrivacyParameters(
        slots=policy.slots,
        clip=str(policy.clip),
        temperature=str(policy.temperature),
        top_k=policy.top_k,
        tokens_max=policy.tokens_max,
        row_tokens_max=policy.row_tokens_max,
        multiplier=policy.multiplier,
        records_per_subject=policy.records_per_subject,
    )
