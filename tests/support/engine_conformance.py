"""What every engine promises, as one class of tests.

A subclass provides the fixture `engine`: started, with `SLOTS` public slots, one
private slot, `WAITING_MAX` waiting places, and answers of at least `LONG_TOKENS`
tokens where that many are asked for. Nothing here knows which engine it tests.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import pytest

from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FieldInvalid,
    PromptTooLong,
    QueueFull,
)
from node.engine.engine import ChatMessage, Engine, Sampling, Terms
from node.engine.limits import EngineLimits
from node.engine.pieces import FinishReason, Piece, Pieces

SLOTS = 2
WAITING_MAX = 1
LONG_TOKENS = 24
LIMITS = EngineLimits(slots=SLOTS, private_slots=1, waiting_max=WAITING_MAX)
QUESTION = (ChatMessage("user", "Which medicine?"),)


class CountingSteps:
    """A private job that says the same token, and remembers how often and until when.

    Token 70 is a letter for every tokenizer of these tests.
    """

    def __init__(self, tokens_max: int, *, fail_at: int | None = None) -> None:
        self._tokens_max = tokens_max
        self._fail_at = fail_at
        self.steps = 0
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def step(self) -> tuple[int, bool]:
        """Return the token; fail where told to."""
        self.steps += 1
        if self.steps == self._fail_at:
            raise ArithmeticError("this private job fails")
        return 70, self.steps >= self._tokens_max

    def close(self) -> None:
        """Tell the test, from whichever thread."""
        self._loop.call_soon_threadsafe(self.closed.set)


class PatientSteps:
    """A private job of two tokens that may not go on at once."""

    def __init__(self, *, pauses: int) -> None:
        self._left: list[tuple[int, bool] | None] = [
            *[None] * pauses,
            (70, False),
            *[None] * pauses,
            (70, True),
        ]

    def step(self) -> tuple[int, bool] | None:
        """Return the next token, or None."""
        return self._left.pop(0)

    def close(self) -> None:
        """Hold nothing."""


async def all_of(pieces: Pieces) -> list[Piece]:
    """Return every piece of an answer."""
    return [piece async for piece in pieces]


def ids_of(pieces: Sequence[Piece]) -> list[int]:
    """Return the token ids of the pieces, in order."""
    return [token_id for piece in pieces for token_id in piece.token_ids]


def text_of(pieces: Sequence[Piece]) -> str:
    """Return the text of the pieces, in order."""
    return "".join(piece.text for piece in pieces)


async def idle(engine: Engine) -> None:
    """Return once nothing runs or waits; the test's own timeout bounds it."""
    while engine.load().running or engine.load().waiting:
        await asyncio.sleep(0)


class EngineConformance:
    """Tests that every engine passes."""

    async def test_answer_ends_once_with_a_reason(self, engine: Engine) -> None:
        """A reader must know that an answer is over, and why, exactly once."""
        prompt = engine.prompt_ids(QUESTION)

        pieces = await all_of(engine.generate(prompt, Sampling(tokens_max=4)))

        assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
        assert pieces[-1].finish is FinishReason.LENGTH
        assert len(ids_of(pieces)) == 4

    async def test_same_greedy_request_gets_the_same_answer(
        self, engine: Engine
    ) -> None:
        """Greedy decoding has no chance in it, alone or beside others."""
        prompt = engine.prompt_ids(QUESTION)
        alone = await all_of(engine.generate(prompt, Sampling(tokens_max=12)))

        answers = await asyncio.gather(
            *(
                all_of(engine.generate(prompt, Sampling(tokens_max=12)))
                for _ in range(SLOTS + WAITING_MAX)
            )
        )

        assert all(ids_of(answer) == ids_of(alone) for answer in answers)

    async def test_seeded_request_repeats_beside_other_requests(
        self, engine: Engine
    ) -> None:
        """A seed must reproduce an answer whatever else the node is doing."""
        prompt = engine.prompt_ids(QUESTION)
        sampling = Sampling(tokens_max=12, temperature=1.0, seed=5)
        alone = await all_of(engine.generate(prompt, sampling))

        beside, _ = await asyncio.gather(
            all_of(engine.generate(prompt, sampling)),
            all_of(engine.generate(prompt, Sampling(tokens_max=9, temperature=2.0))),
        )

        assert ids_of(beside) == ids_of(alone)

    async def test_request_past_the_queue_is_refused_at_once(
        self, engine: Engine
    ) -> None:
        """A full node says so before any work, so that the router asks another."""
        prompt = engine.prompt_ids(QUESTION)
        long = Sampling(tokens_max=LONG_TOKENS)
        admitted = [engine.generate(prompt, long) for _ in range(SLOTS + WAITING_MAX)]

        with pytest.raises(QueueFull):
            engine.generate(prompt, long)

        answers = await asyncio.gather(*(all_of(pieces) for pieces in admitted))
        assert all(len(ids_of(answer)) == LONG_TOKENS for answer in answers)

    async def test_waiting_request_is_refused_at_its_deadline(
        self, engine: Engine
    ) -> None:
        """Who waits in vain hears so, and leaves its place to another."""
        prompt = engine.prompt_ids(QUESTION)
        long = Sampling(tokens_max=LONG_TOKENS)
        running = [engine.generate(prompt, long) for _ in range(SLOTS)]
        late = engine.generate(prompt, long, Terms(deadline_s=time.monotonic()))

        with pytest.raises(DeadlineExceeded):
            await all_of(late)

        answers = await asyncio.gather(*(all_of(pieces) for pieces in running))
        assert all(len(ids_of(answer)) == LONG_TOKENS for answer in answers)
        await idle(engine)

    async def test_every_token_has_its_log_probability_where_asked(
        self, engine: Engine
    ) -> None:
        """One entry per token, the drawn one's own, and the likeliest in order."""
        prompt = engine.prompt_ids(QUESTION)
        sampling = Sampling(tokens_max=6, logprobs=1)

        asked = await all_of(engine.generate(prompt, sampling))
        plain = await all_of(engine.generate(prompt, Sampling(tokens_max=6)))

        told = [entry for piece in asked for entry in piece.logprobs]
        assert [entry.token_id for entry in told] == ids_of(asked) == ids_of(plain)
        for entry in told:
            # Greedy: what is drawn is the likeliest.
            assert entry.alternatives == ((entry.token_id, entry.logprob),)
            assert entry.logprob <= 0
        assert not any(piece.logprobs for piece in plain)

    async def test_prompt_that_exceeds_the_context_is_refused(
        self, engine: Engine
    ) -> None:
        """An answer that could not be completed must not be begun."""
        prompt = engine.prompt_ids(QUESTION)
        too_many = engine.context_tokens_max - len(prompt) + 1

        with pytest.raises(PromptTooLong):
            engine.generate(prompt, Sampling(tokens_max=too_many))

    @pytest.mark.parametrize(
        "sampling",
        [
            Sampling(tokens_max=0),
            Sampling(tokens_max=1, temperature=-1.0),
            Sampling(tokens_max=1, temperature=float("nan")),
            Sampling(tokens_max=1, top_k=-1),
            Sampling(tokens_max=1, top_p=0.0),
            Sampling(tokens_max=1, seed=2**64),
            Sampling(tokens_max=1, repetition_penalty=0.0),
            Sampling(tokens_max=1, repetition_penalty=2.5),
            Sampling(tokens_max=1, repetition_penalty=float("nan")),
            Sampling(tokens_max=1, logprobs=-1),
            Sampling(tokens_max=1, logprobs=21),
            Sampling(tokens_max=1, stop=("",)),
        ],
    )
    async def test_meaningless_sampling_is_refused(
        self, engine: Engine, sampling: Sampling
    ) -> None:
        """A parameter out of range is the caller's mistake, told before any work."""
        prompt = engine.prompt_ids(QUESTION)

        with pytest.raises(FieldInvalid):
            engine.generate(prompt, sampling)

    @pytest.mark.parametrize("prompt", [[], [-1], [10**6]])
    async def test_prompt_outside_the_vocabulary_is_refused(
        self, engine: Engine, prompt: list[int]
    ) -> None:
        """One bad token id must never reach the pass that others share."""
        with pytest.raises(FieldInvalid):
            engine.generate(prompt, Sampling(tokens_max=1))

    async def test_unknown_role_is_refused(self, engine: Engine) -> None:
        """A role is written into control tokens, so only known ones may be."""
        with pytest.raises(FieldInvalid):
            engine.prompt_ids([ChatMessage("root", "hello")])

    async def test_closed_answer_gives_its_slot_to_the_next(
        self, engine: Engine
    ) -> None:
        """Whoever goes away must not keep others waiting."""
        prompt = engine.prompt_ids(QUESTION)
        left = [
            engine.generate(prompt, Sampling(tokens_max=LONG_TOKENS))
            for _ in range(SLOTS)
        ]
        waiting = engine.generate(prompt, Sampling(tokens_max=3))
        await anext(left[0])

        for pieces in left:
            await pieces.aclose()
        answer = await all_of(waiting)

        assert len(ids_of(answer)) == 3
        assert [await all_of(pieces) for pieces in left] == [[], []]
        await idle(engine)

    async def test_answer_dropped_unread_leaves_the_engine(
        self, engine: Engine
    ) -> None:
        """A caller that forgets to close must not hold a slot for ever."""
        prompt = engine.prompt_ids(QUESTION)
        pieces = engine.generate(prompt, Sampling(tokens_max=LONG_TOKENS))

        del pieces

        await idle(engine)
        assert (engine.load().running, engine.load().waiting) == (0, 0)
        again = await all_of(engine.generate(prompt, Sampling(tokens_max=2)))
        assert 1 <= len(ids_of(again)) <= 2

    async def test_stop_string_is_never_shown_in_part(self, engine: Engine) -> None:
        """Text before the stop string is all that a caller may see."""
        prompt = engine.prompt_ids(QUESTION)
        sampling = Sampling(tokens_max=LONG_TOKENS)
        whole = text_of(await all_of(engine.generate(prompt, sampling)))
        stop = whole[5:8]

        pieces = await all_of(
            engine.generate(prompt, Sampling(tokens_max=LONG_TOKENS, stop=(stop,)))
        )

        assert text_of(pieces) == whole[: whole.index(stop)]
        assert pieces[-1].finish is FinishReason.STOP

    async def test_private_job_that_may_not_go_on_yet_waits_for_no_loss(
        self, engine: Engine
    ) -> None:
        """A step without a token is no end: the job goes on once it may."""
        steps = PatientSteps(pauses=3)

        pieces = await all_of(engine.run_stepper(lambda: steps))

        assert ids_of(pieces) == [70, 70]
        assert pieces[-1].finish is FinishReason.LENGTH

    async def test_private_job_streams_beside_the_batch(self, engine: Engine) -> None:
        """Private decoding and public requests share one model fairly."""
        prompt = engine.prompt_ids(QUESTION)
        steps = CountingSteps(tokens_max=6)

        private, public = await asyncio.gather(
            all_of(engine.run_stepper(lambda: steps)),
            all_of(engine.generate(prompt, Sampling(tokens_max=8))),
        )

        assert ids_of(private) == [70] * 6
        assert private[-1].finish is FinishReason.LENGTH
        assert len(ids_of(public)) == 8
        await steps.closed.wait()

    async def test_failing_private_job_hurts_nobody_else(self, engine: Engine) -> None:
        """What a job raises reaches its caller as it is, and only its caller."""
        prompt = engine.prompt_ids(QUESTION)
        steps = CountingSteps(tokens_max=6, fail_at=3)
        public = engine.generate(prompt, Sampling(tokens_max=8))

        with pytest.raises(ArithmeticError, match="this private job fails"):
            await all_of(engine.run_stepper(lambda: steps))

        assert len(ids_of(await all_of(public))) == 8
        await steps.closed.wait()

    async def test_private_job_that_cannot_be_made_fails_its_caller(
        self, engine: Engine
    ) -> None:
        """`make` may refuse, for instance for lack of memory."""

        def refuse() -> CountingSteps:
            raise MemoryError("no room for the rows")

        with pytest.raises(MemoryError):
            await all_of(engine.run_stepper(refuse))
        await idle(engine)

    async def test_stop_string_ends_a_private_job(self, engine: Engine) -> None:
        """A stopped private job makes no further token: each one costs budget."""
        steps = CountingSteps(tokens_max=1000)
        once = CountingSteps(tokens_max=1)
        letter = text_of(await all_of(engine.run_stepper(lambda: once)))

        pieces = await all_of(engine.run_stepper(lambda: steps, stop=(letter * 4,)))

        assert pieces[-1].finish is FinishReason.STOP
        assert text_of(pieces) == ""
        assert steps.steps == 4

    async def test_closed_private_job_makes_no_more_steps(self, engine: Engine) -> None:
        """Cancelling a private request stops the spending within one step."""
        steps = CountingSteps(tokens_max=10**6)
        pieces = engine.run_stepper(lambda: steps)
        await anext(pieces)

        await pieces.aclose()
        await steps.closed.wait()
        made = steps.steps

        await idle(engine)
        assert steps.steps == made

    async def test_stop_ends_running_and_waiting_requests_as_cancelled(
        self, engine: Engine
    ) -> None:
        """No caller of a stopped engine waits for ever, and none may come."""
        prompt = engine.prompt_ids(QUESTION)
        long = Sampling(tokens_max=LONG_TOKENS)
        endless = CountingSteps(10**6)
        private = engine.run_stepper(lambda: endless)
        admitted = [engine.generate(prompt, long) for _ in range(SLOTS + WAITING_MAX)]
        await anext(private)

        await engine.stop()

        assert (await all_of(private))[-1].finish is FinishReason.CANCELLED
        finishes = [(await all_of(pieces))[-1].finish for pieces in admitted]
        assert set(finishes) <= {FinishReason.CANCELLED, FinishReason.LENGTH}
        with pytest.raises(Draining):
            engine.generate(prompt, long)

    async def test_load_counts_running_and_waiting(self, engine: Engine) -> None:
        """The router routes by these figures."""
        prompt = engine.prompt_ids(QUESTION)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(SLOTS + WAITING_MAX):
                pieces = engine.generate(prompt, Sampling(tokens_max=LONG_TOKENS))
                stack.push_async_callback(pieces.aclose)

            load = engine.load()

            assert load.running + load.waiting == SLOTS + WAITING_MAX
            assert (load.slots, load.waiting_max) == (SLOTS + 1, WAITING_MAX)
        await idle(engine)
