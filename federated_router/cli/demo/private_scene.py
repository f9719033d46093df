"""Private requests: an account before and after, and the one it cannot afford."""

from dataclasses import dataclass
from random import Random

import grpc

from federated_router.api.v1 import budget_pb2
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cli.demo.figures import claim
from federated_router.cli.demo.stage import CALL_TIMEOUT_S, LARGE, Stage, Traced
from federated_router.cli.screen import bar, quote, say
from federated_router.kit.grpc_errors import translate
from node.reference.corpus import note, private_question

DATASET = "datasets/ward-notes"
ACCOUNT = "accounts/dataset-ward-notes"
POLICY = "policies/standard"
EPSILON, DELTA = 4.0, 1e-6
MEDICINE = "amoxicillin"
RECORDS = 32
PUBLIC_TRIES = 12
REQUESTS_MAX = 40
SEED = 7


@dataclass(frozen=True, slots=True)
class Served:
    """A private request and its answer."""

    asked: pb.Generation
    answered: pb.CompleteResponse


async def show_private(stage: Stage) -> Served:
    """Spend an account down to the last affordable request, and ask once more.

    Returns the last one that was served.
    """
    created = await _create(stage)
    say(
        f"{ACCOUNT}: epsilon {EPSILON:g} at delta {DELTA:g}, "
        f"{created.limit_units:,} units."
    )
    price = await stage.balance.PriceEvent(
        budget_pb2.PriceEventRequest(
            dataset=DATASET, policy=POLICY, selection=pb.SELECTION_BY_ID
        ),
        timeout=CALL_TIMEOUT_S,
    )
    say(
        f"a request costs {price.token_charge_units:,} units per token, at most "
        f"{price.worst_case_units:,} (epsilon {price.worst_case_epsilon:.2f})."
    )
    public = await _public_answers(stage)
    answers = await _until_refused(stage, price.token_charge_units)
    _compare(stage, public, [one.answered.text for one in answers])
    return answers[-1]


async def _create(stage: Stage) -> budget_pb2.Account:
    response = await stage.budget.CreateAccount(
        budget_pb2.CreateAccountRequest(
            account=budget_pb2.Account(
                name=ACCOUNT,
                kind=budget_pb2.Account.KIND_DATASET,
                epsilon=EPSILON,
                delta=DELTA,
                renewal=budget_pb2.Account.RENEWAL_MONTHLY,
            )
        ),
        timeout=CALL_TIMEOUT_S,
    )
    stage.figures.record("budget.limit_units", response.account.limit_units)
    made: budget_pb2.Account = response.account
    return made


async def _public_answers(stage: Stage) -> list[str]:
    """Return what the model says without records, sampled as privately as it can."""
    answers = []
    for seed in range(PUBLIC_TRIES):
        generation = stage.public(LARGE, private_question(), tokens_max=10)
        generation.sampling.temperature = 1.0
        generation.sampling.seed = seed
        response = await stage.inference.Complete(
            pb.CompleteRequest(generation=generation), timeout=CALL_TIMEOUT_S
        )
        answers.append(response.text)
        stage.figures.add("requests.public")
    return answers


async def _until_refused(stage: Stage, token_units: int) -> list[Served]:
    """Ask privately until the account refuses; check every balance to the integer."""
    answers: list[Served] = []
    before = await account(stage)
    for _ in range(REQUESTS_MAX):
        trace, generation = Traced.new(), _private(stage)
        try:
            response = await stage.inference.Complete(
                pb.CompleteRequest(generation=generation),
                timeout=CALL_TIMEOUT_S,
                metadata=trace.metadata,
            )
        except grpc.aio.AioRpcError as error:
            _show_refusal(stage, error, trace)
            return answers
        after = await account(stage)
        charge = response.finished.charge
        claim(
            that=charge.units == charge.tokens * token_units
            and after.spent_units == before.spent_units + charge.units
            and after.held_units == 0,
            otherwise=f"The account moved from {before} to {after} for {charge}.",
        )
        quote(response.text)
        say(
            f"{charge.tokens} tokens, {charge.units:,} units; "
            f"spent {before.spent_units:,} -> {after.spent_units:,} "
            f"[{bar(after.spent_units, after.held_units, after.limit_units)}]".replace(
                "[", r"\["
            )
        )
        stage.figures.add("requests.private")
        answers.append(Served(generation, response))
        before = after
    claim(that=False, otherwise=f"{REQUESTS_MAX} private requests were not too many.")
    return answers


def _private(stage: Stage) -> pb.Generation:
    """Return a private request whose records agree on one medicine."""
    rng = Random(SEED)  # noqa: S311 - made-up notes, the same in every run.
    generation = stage.public(LARGE, private_question())
    generation.sampling.CopyFrom(pb.Sampling(stop=["."]))
    generation.private_context.CopyFrom(
        pb.PrivateContext(
            dataset=DATASET,
            policy=POLICY,
            selection=pb.SELECTION_BY_ID,
            records=[
                pb.Record(
                    id=f"note-{index}", text=note(rng, medicine=MEDICINE).encode()
                )
                for index in range(RECORDS)
            ],
        )
    )
    return generation


async def account(stage: Stage) -> budget_pb2.Account:
    """Return the data set's balance, and keep its figures."""
    response = await stage.balance.GetAccount(
        budget_pb2.GetAccountRequest(name=ACCOUNT), timeout=CALL_TIMEOUT_S
    )
    found: budget_pb2.Account = response.account
    stage.figures.record("budget.spent_units", found.spent_units)
    stage.figures.record("budget.held_units", found.held_units)
    return found


def _show_refusal(stage: Stage, error: grpc.aio.AioRpcError, trace: Traced) -> None:
    """Check the refusal: its status, its facts, and that no node heard of it."""
    known = translate(error)
    claim(
        that=error.code() is grpc.StatusCode.FAILED_PRECONDITION
        and known.reason == "BUDGET_EXHAUSTED",
        otherwise=f"The request was refused with {error.code().name} {known.reason}.",
    )
    facts = known.metadata
    claim(
        that={"needed_units", "free_units", "renews"} <= set(facts),
        otherwise=f"The refusal does not say what is free, needed and when: {facts}.",
    )
    reached = [
        node.id
        for node in stage.local.nodes
        if stage.was_called(node.id, trace.trace_id)
    ]
    claim(that=not reached, otherwise=f"The refused request reached {reached}.")
    say(f"refused: FAILED_PRECONDITION {known.reason}: {known.message}")
    say(
        f"needed {int(facts['needed_units']):,}, free {int(facts['free_units']):,}, "
        f"renews {facts['renews']}. No node's log knows the request."
    )
    stage.figures.add("requests.refused")


def _compare(stage: Stage, public: list[str], private: list[str]) -> None:
    """Check that private answers carry what the records agree on."""
    claim(that=private, otherwise="No private request was affordable.")
    public_hits = sum(MEDICINE in text for text in public)
    private_hits = sum(MEDICINE in text for text in private)
    say(
        f"'{MEDICINE}', on which the {RECORDS} notes agree: in {private_hits} of "
        f"{len(private)} private answers, "
        f"in {public_hits} of {len(public)} public ones."
    )
    claim(
        that=private_hits / len(private) > public_hits / len(public) + 0.3,
        otherwise="The private answers carry nothing of the records.",
    )
    stage.figures.record("private.answers_with_fact", private_hits)
    stage.figures.record("public.answers_with_fact", public_hits)
    stage.figures.record("public.answers_asked", len(public))
