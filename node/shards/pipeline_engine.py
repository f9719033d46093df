"""The engine of a model whose layers run on other nodes.

Decides how requests become sequences that travel through shards, several at once, and
how tokens become answers. Refuses to know which shards there are, how a lost one is
replaced, and private decoding: rows of private requests never leave their node.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import NoReturn

from federated_router.kit.errors import Draining, PrivateNotOffered
from node.engine.begun import fresh, gone_through
from node.engine.decoding import TokenDraw
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
from node.engine.limits import EngineLimits, check_prompt, check_sampling
from node.engine.piece_stream import complete_stream
from node.engine.pieces import Piece, Pieces
from node.engine.prompt import rendered_prompt
from node.shards.answer_tasks import AnswerJob, AnswerTasks
from node.shards.directory import Directory, Wish, missing
from node.shards.hops import SessionTerms
from node.shards.leader_model import LeaderModel, LeaderSource, load_leader
from node.shards.leader_thread import LeaderThread
from node.shards.session import Session


@dataclass(frozen=True, slots=True)
class PipelineLimits:
    """What the leader allows itself; `frame_tokens_max` in positions."""

    frame_tokens_max: int
    frame_timeout_s: float
    replacements_max: int


MakeDirectory = Callable[[LeaderModel], Directory]


class PipelineEngine:
    """An `Engine`; make it, `start` it, `stop` it, all on one event loop."""

    def __init__(
        self,
        model: str,
        *,
        source: LeaderSource,
        limits: EngineLimits,
        pipeline: PipelineLimits,
        make_directory: MakeDirectory,
    ) -> None:
        self._name = model
        self._source = source
        self._pipeline = pipeline
        self._make_directory = make_directory
        self._tasks = AnswerTasks(limits, self._answer)
        self._stack = AsyncExitStack()
        self._led: _Led | None = None

    async def start(self) -> None:
        """Load what is run here and begin to look for shards; waits for none of them.

        Raises:
            ValueError: the directory holds no model that can be split.
        """
        pool = ThreadPoolExecutor(1, thread_name_prefix="leader")
        self._stack.callback(pool.shutdown, wait=False)
        model = await asyncio.get_running_loop().run_in_executor(
            pool, load_leader, self._source
        )
        directory = self._make_directory(model)
        self._stack.push_async_callback(directory.close)
        looking = asyncio.create_task(directory.run(), name=f"shards of {self._name}")
        self._stack.push_async_callback(_ended, looking)
        self._led = _Led(model, directory, LeaderThread(model.ends, pool))
        self._tasks.open()

    async def stop(self) -> None:
        """End every answer as CANCELLED and forget the shards; idempotent."""
        await self._tasks.stop()
        await self._stack.aclose()

    async def probe(self) -> None:
        """Return if the shards make up the model now.

        Raises:
            ShardsMissing: they do not.
        """
        if self._started().directory.chain_now(Wish(tokens=1)) is None:
            raise missing(self._name)

    @property
    def model(self) -> LeaderModel:
        """Return what is run here."""
        return self._started().model

    @property
    def directory(self) -> Directory:
        """Return what is known of the shards."""
        return self._started().directory

    @property
    def thread(self) -> LeaderThread:
        """Return what runs the leader's own share."""
        return self._started().thread

    @property
    def end_ids(self) -> frozenset[int]:
        """Return the tokens that end an answer."""
        return self.model.end_ids

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        return self.model.context_tokens_max

    def load(self) -> EngineLoad:
        """Return running and waiting requests."""
        return self._tasks.load()

    def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return the chat template's token ids, ready for an assistant's answer.

        Raises:
            FieldInvalid: a role is unknown or the template refuses the turns.
        """
        return rendered_prompt(self.model.tokenizer, messages)

    def go_through(self, continuation: Continuation, sampling: Sampling) -> Begun:
        """Return an answer that was begun elsewhere, for `generate` to go on with."""
        return gone_through(continuation, sampling, self.model.reading)

    def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        begun: Begun | None = None,
    ) -> Pieces:
        """Stream one answer; refusals come at the call."""
        model = self.model
        check_sampling(sampling)
        check_prompt(
            prompt_ids,
            sampling,
            context_tokens_max=model.context_tokens_max,
            vocabulary_size=model.vocabulary_size,
        )
        begun = begun or fresh(sampling, model.reading)
        if begun.last is not None:
            return complete_stream(begun.last)
        return self._tasks.begin(tuple(prompt_ids), sampling, begun, terms)

    def run_stepper(
        self,
        make: Callable[[], Stepper],
        *,
        stop: tuple[str, ...] = (),
        terms: Terms = DEFAULT_TERMS,
    ) -> NoReturn:
        """Refuse: private rows are decoded where the whole model runs.

        Raises:
            PrivateNotOffered: always.
        """
        del make, stop, terms
        raise PrivateNotOffered(
            "The layers of this model run on several nodes, which would all see the "
            "records; private decoding needs the whole model on one node.",
            metadata={"model": self._name},
        )

    def _started(self) -> "_Led":
        if self._led is None:
            raise Draining("The engine is not started; ask another node.")
        return self._led

    async def _answer(self, job: AnswerJob) -> Piece:
        """Make one answer; whatever ends it, its shards forget it."""
        session = self._session(job)
        try:
            return await self._tokens(job, session)
        finally:
            session.close()

    def _session(self, job: AnswerJob) -> Session:
        led, pipeline = self._started(), self._pipeline
        ends = led.model.ends
        return Session(
            led.directory,
            SessionTerms(
                model=self._name,
                digest=ends.digest,
                layers=ends.layers,
                width=ends.width,
                data_type=ends.data_type,
                frame_tokens_max=pipeline.frame_tokens_max,
                frame_timeout_s=pipeline.frame_timeout_s,
                replacements_max=pipeline.replacements_max,
            ),
            tokens_max=len(job.prompt_ids) + job.sampling.tokens_max,
        )

    async def _tokens(self, job: AnswerJob, session: Session) -> Piece:
        """Deliver all pieces of an answer but the last, which is returned."""
        thread = self._started().thread
        drawn_ids = job.begun.token_ids
        draw = TokenDraw(job.sampling, job.prompt_ids, drawn_ids)
        hidden = await thread.embed([*job.prompt_ids, *drawn_ids])
        for count in range(len(drawn_ids) + 1, job.sampling.tokens_max + 1):
            found = await thread.choose(await session.forward(hidden), draw)
            piece = job.begun.answer.push(
                found.choice.token_id,
                last=count == job.sampling.tokens_max,
                logprob=found.choice.logprob,
            )
            if piece.finish is not None:
                return piece
            job.deliver(piece)
            hidden = found.hidden
        raise RuntimeError("an answer did not end with its last token")


@dataclass(frozen=True, slots=True)
class _Led:
    """What there is once the engine has started."""

    model: LeaderModel
    directory: Directory
    thread: LeaderThread


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancel background work and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
