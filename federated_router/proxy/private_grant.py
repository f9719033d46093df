"""What a node is handed so that it may sample: the hold, its charge, and the terms.

Decides how a policy and a hold stand on the wire. Refuses to know how they came about.
The first instalment is what the ledger durably allows of the hold (`private_credit`).
"""

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.cashier import Hold
from federated_router.privacy.policy import PrivatePolicy
from federated_router.proxy.private_price import PrivateTerms
from federated_router.routing.candidate import Candidate


def granted(
    generation: pb.Generation, candidate: Candidate, terms: PrivateTerms, hold: Hold
) -> pb.GenerateRequest:
    """Return the request with the grant that lets the node sample."""
    request = pb.GenerateRequest(generation=generation)
    request.generation.model = candidate.model
    grant = request.generation.private_context.grant
    grant.reservation = hold.name
    grant.token_charge_units = terms.token_units
    grant.tokens_granted = hold.steps_bound
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
