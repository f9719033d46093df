"""An engine without a model: the same port, the same limits, a scripted answer.

Decides nothing about language: every public answer is the script, one token per byte,
so a test knows each token beforehand. Time comes from a clock, so that a test may
stand between any two tokens. Private jobs are stepped as the real engine steps them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from federated_router.kit.clock import Clock
from federated_router.kit.errors import Draining
from node.engine.admission import Admission, JobKind, deadline_passed
from node.engine.answer import Answer
from node.engine.begun import Reading, fresh, gone_through
from node.engine.engine import (
    DEFAULT_TERMS,
    Begun,
    ChatMessage,
    Continuation,
    EngineLoad,
    Sampling,
    Stepper,
    Terms,
)
from node.engine.jobs import ENDED
from node.engine.limits import (
    EngineLimits,
    check_messages,
    check_prompt,
    check_sampling,
    check_stop,
)
from node.engine.piece_stream import Deliver, complete_stream, open_stream
from node.engine.pieces import Pieces
from node.engine.script import (
    END_ID,
    ROLE_IDS,
    VOCABULARY_SIZE,
    ScriptedSteps,
    certain,
    decode,
)

_READING = Reading(decode, decode, frozenset({END_ID}), VOCABULARY_SIZE)


@dataclass(frozen=True, slots=True)
class FakeSettings:
    """What the fake answers, how slowly, and how much it takes."""

    limits: EngineLimits
    script: str = "The patient was given metformin."
    token_delay_s: float = 0.0
    context_tokens_max: int = 512


@dataclass(slots=True, eq=False)
class _Job:
    kind: JobKind
    make: Callable[[], Stepper]
    answer: Answer
    logprobs: int | None
    deliver: Deliver
    task: "asyncio.Task[None] | None" = None


class FakeEngine:
    """An `Engine` that recites; `start` it and `stop` it on one event loop."""

    def __init__(self, settings: FakeSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._admission: Admission[_Job] = Admission(settings.limits)
        self._running: set[_Job] = set()

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        return self._settings.context_tokens_max

    def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return a token for each role and each byte, then the assistant's token.

        Raises:
            FieldInvalid: a role is unknown.
        """
        check_messages(messages)
        found: list[int] = []
        for message in messages:
            found += [ROLE_IDS[message.role], *message.content.encode()]
        return [*found, ROLE_IDS["assistant"]]

    def go_through(self, continuation: Continuation, sampling: Sampling) -> Begun:
        """Return the script's answer as it stands after so many of its tokens."""
        return gone_through(continuation, sampling, _READING)

    def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        begun: Begun | None = None,
    ) -> Pieces:
        """Stream the script, whatever the prompt; refusals come at the call."""
        check_sampling(sampling)
        self._check_open()
        check_prompt(
            prompt_ids,
            sampling,
            context_tokens_max=self.context_tokens_max,
            vocabulary_size=VOCABULARY_SIZE,
        )
        begun = begun or fresh(sampling, _READING)
        if begun.last is not None:
            return complete_stream(begun.last)
        make = partial(
            ScriptedSteps,
            self._settings.script,
            sampling.tokens_max,
            len(begun.token_ids),
        )
        return self._join(JobKind.PUBLIC, make, begun.answer, terms, sampling.logprobs)

    def run_stepper(
        self,
        make: Callable[[], Stepper],
        *,
        stop: tuple[str, ...] = (),
        terms: Terms = DEFAULT_TERMS,
    ) -> Pieces:
        """Stream a private job's tokens; `make` runs on the event loop here."""
        check_stop(stop)
        answer = Answer(decode, stop=stop, end_ids={END_ID})
        return self._join(JobKind.PRIVATE, make, answer, terms)

    def load(self) -> EngineLoad:
        """Return running and waiting requests."""
        return self._admission.load()

    async def start(self) -> None:
        """Begin to answer."""
        self._admission.open()

    async def stop(self) -> None:
        """End every generation as CANCELLED; idempotent."""
        ended = [*self._admission.close(), *self._running]
        tasks = [job.task for job in ended if job.task is not None]
        for job in ended:
            job.deliver(ENDED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check_open(self) -> None:
        if not self._admission.is_open:
            raise Draining("The engine is stopped; ask another node.")

    def _join(
        self,
        kind: JobKind,
        make: Callable[[], Stepper],
        answer: Answer,
        terms: Terms = DEFAULT_TERMS,
        logprobs: int | None = None,
    ) -> Pieces:
        make_job = partial(_Job, kind, make, answer, logprobs)
        job, stream = open_stream(make_job, self._cancel)
        self._admission.join(job, terms)
        self._run_waiting()
        return stream

    def _cancel(self, job: _Job) -> None:
        if not self._admission.withdraw(job) and job.task is not None:
            job.task.cancel()

    def _refuse_expired(self) -> None:
        for job in self._admission.expired():
            job.deliver(deadline_passed())

    def _run_waiting(self) -> None:
        self._refuse_expired()
        for kind in JobKind:
            while (job := self._admission.take(kind)) is not None:
                self._running.add(job)
                job.task = asyncio.get_running_loop().create_task(self._recite(job))
                job.task.add_done_callback(partial(self._cancelled, job))

    def _cancelled(self, job: _Job, _task: "asyncio.Task[None]") -> None:
        self._over(job)

    def _over(self, job: _Job) -> None:
        """Give the slot back, before the reader hears of the end; idempotent."""
        if job not in self._running:
            return
        self._running.remove(job)
        self._admission.leave(job.kind)
        if self._admission.is_open:
            self._run_waiting()

    async def _recite(self, job: _Job) -> None:
        try:
            stepper = job.make()
            try:
                await self._steps(job, stepper)
            finally:
                stepper.close()
        except Exception as failure:  # noqa: BLE001 - told to the caller.
            self._over(job)
            job.deliver(failure)

    async def _steps(self, job: _Job, stepper: Stepper) -> None:
        finish = None
        while finish is None:
            await self._pause()
            self._refuse_expired()
            drawn = stepper.step()
            if drawn is None:
                continue
            token_id, last = drawn
            logprob = certain(token_id, job.logprobs)
            piece = job.answer.push(token_id, last=last, logprob=logprob)
            finish = piece.finish
            if finish is not None:
                self._over(job)
            job.deliver(piece)

    async def _pause(self) -> None:
        if self._settings.token_delay_s > 0:
            await self._clock.sleep(self._settings.token_delay_s)
        else:
            await asyncio.sleep(0)
