"""What privacy costs in time: private against public tokens per second.

One request at a time, the same model, questions and thread. A private token is a pass
over B+1 rows of one public length, whatever the records hold, and a draw; a public one
a pass over one row. The two take turns, and figures are medians; ratios are given of
processor time too, which other work on the machine does not falsify as much. Beside the
speed stands what it buys: whether rows are independent, and a session's logits the same
alone and in company, bit for bit, on the trained model.
"""

import asyncio
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch

from federated_router.cli.models import ensure_models
from federated_router.kit import log
from federated_router.privacy.policy import PrivatePolicy
from node.engine.engine import ChatMessage
from node.private_model import PrivateModel
from node.reference import corpus
from tests.bench.engine_load import (
    POLICY,
    answer_all,
    answer_privately,
    served_model,
)
from tests.bench.figures import Sheet
from tests.bench.generate_peer import Answered
from tests.support.private_company import is_same, traced

MODEL = "reference-large"
MODELS = Path("build/models")
SLOTS = (4, 8, 16)
TURNS = 5
TOKENS_MAX = 48
ROW_TOKENS_MAX = 96
QUESTION = "What is the patient taking?"
QUESTIONS = 3
COMPANY = 8
"""Public requests that run beside a private session."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A run, and the processor time that it took."""

    answered: Answered
    cpu_s: float

    @property
    def tokens_per_cpu_s(self) -> float:
        """Return generated tokens per second of processor time."""
        return sum(map(len, self.answered.answers)) / self.cpu_s


def measure(sheet: Sheet, _: Path) -> None:
    """Measure into `sheet`; the model is trained first where there is none."""
    log.configure(level="warning", form="text", daemon="bench")
    directory = ensure_models(MODELS, print)[MODEL]
    torch.set_num_threads(1)
    asyncio.run(_measure(sheet, directory))


def policy_of(slots: int) -> PrivatePolicy:
    """Return a policy of so many slots; a token costs the same for all of them."""
    return replace(
        POLICY,
        name=f"bench-{slots}",
        slots=slots,
        clip=POLICY.clip * slots / POLICY.slots,
        tokens_max=TOKENS_MAX,
        row_tokens_max=ROW_TOKENS_MAX,
    )


async def _measure(sheet: Sheet, directory: Path) -> None:
    policies = [policy_of(slots) for slots in SLOTS]
    async with served_model(directory, policies=policies) as served:
        for policy in policies:
            await _compare(sheet, served, policy)
            await _check(sheet, served, policy)


async def _compare(sheet: Sheet, served: PrivateModel, policy: PrivatePolicy) -> None:
    """Measure one number of slots, private and public in turns."""
    records = [corpus.note(random.Random(seed)) for seed in range(policy.slots)]  # noqa: S311
    prompt = tuple(served.engine.prompt_ids([ChatMessage("user", QUESTION)]))
    questions, prompts = [QUESTION] * QUESTIONS, [prompt] * QUESTIONS
    turns: list[tuple[Measured, Measured]] = []
    for _ in range(TURNS):
        private = await _measured(
            answer_privately(served, questions, records, policy=policy)
        )
        public = await _measured(
            answer_all(served.engine, prompts, callers=1, tokens_max=TOKENS_MAX)
        )
        turns.append((private, public))
    public_rate = median(public.answered.tokens_per_s for _, public in turns)
    rate = median(private.answered.tokens_per_s for private, _ in turns)
    ratio = median(
        private.answered.tokens_per_s / public.answered.tokens_per_s
        for private, public in turns
    )
    cpu_ratio = median(
        private.tokens_per_cpu_s / public.tokens_per_cpu_s for private, public in turns
    )
    first_ms = median(
        value for private, _ in turns for value in private.answered.first_token_ms
    )
    sheet.record(f"private.tokens_per_s.{policy.slots}", rate, "1/s")
    sheet.record(f"private.public_tokens_per_s.{policy.slots}", public_rate, "1/s")
    sheet.record(f"private.ratio_to_public.{policy.slots}", ratio, "ratio")
    sheet.record(f"private.cpu_ratio_to_public.{policy.slots}", cpu_ratio, "ratio")
    sheet.record(f"private.first_token_ms.{policy.slots}", first_ms, "ms")


async def _check(sheet: Sheet, served: PrivateModel, policy: PrivatePolicy) -> None:
    """Tell what the start-up self-test said, and whether company changes a bit."""
    slots, engine = policy.slots, served.engine
    proved = (slots, policy.row_tokens_max) in served.proven_shapes
    questions = corpus.public_questions()[:COMPANY]
    company = [engine.prompt_ids([ChatMessage("user", one)]) for one in questions]
    alone, together = (
        await traced(engine, policy),
        await traced(engine, policy, company),
    )
    if not min(together.company):
        raise RuntimeError("the session had no company")
    sheet.record(f"private.rows_independent.{slots}", float(proved), "share")
    same = is_same(alone, together)
    sheet.record(f"private.same_in_company.{slots}", float(same), "share")


async def _measured(work: Coroutine[object, object, Answered]) -> Measured:
    """Return what a run gave, and the processor time of the whole process for it."""
    begin_s = time.process_time()
    answered = await work
    return Measured(answered, time.process_time() - begin_s)
