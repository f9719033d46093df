"""The one thread that runs the model, turn by turn.

Decides whose turn it is: each turn admits who has a slot, gives the batch one step,
and every private job one step of its own. Refuses to know torch and the event loop:
it steps what it is given and posts what comes out. One caller's failure ends that
caller's job only.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Generic

from federated_router.kit.errors import FederationError, Internal
from node.engine.admission import Admission, JobKind, deadline_passed
from node.engine.decoding import Choice
from node.engine.jobs import ENDED, Batch, EngineJob, PrivateJob, PublicJob, RowT
from node.engine.piece_stream import Deliver, Outcome
from node.engine.pieces import Piece

_log = logging.getLogger(__name__)

STALLED_WAIT_S = 0.005
"""How long the thread rests where all that runs are private jobs that may not go on."""

Post = Callable[[list[tuple[Deliver, Outcome]]], None]


class ModelThread(Generic[RowT]):
    """Runs turns until the admission closes; `run` is the thread's body."""

    def __init__(self, admission: Admission[EngineJob], post: Post) -> None:
        self._admission = admission
        self._post = post
        self._public: dict[RowT, PublicJob] = {}
        self._private: list[PrivateJob] = []
        self._outbox: list[tuple[Deliver, Outcome]] = []

    def run(self, batch: Batch[RowT]) -> None:
        """Step until closed, then end what still runs as CANCELLED."""
        ending: Outcome = ENDED
        moved = True
        try:
            while self._admission.is_open:
                if not self._public and not self._private:
                    self._admission.wait_for_work()
                elif not moved:
                    self._admission.wait_for_work(STALLED_WAIT_S)
                moved = self.turn(batch)
        except Exception:  # noqa: BLE001 - whatever it was, callers must hear of it.
            _log.exception("the model thread failed; the engine takes no more work")
            ending = Internal("The engine failed; ask another node.")
        finally:
            self._end_all(batch, ending)

    def turn(self, batch: Batch[RowT]) -> bool:
        """Admit, step the batch once and each private job once, post the pieces.

        Returns whether anybody could go on.
        """
        self._refuse_expired()
        self._drop_cancelled(batch)
        self._admit(batch)
        moved = bool(self._public)
        if self._public:
            self._step_batch(batch)
        for job in tuple(self._private):
            moved |= self._step_private(job)
        self._flush()
        return moved

    def _refuse_expired(self) -> None:
        for job in self._admission.expired():
            self._outbox.append((job.deliver, deadline_passed()))

    def _admit(self, batch: Batch[RowT]) -> None:
        for kind in JobKind:
            while (job := self._admission.take(kind)) is not None:
                try:
                    self._begin(job, batch)
                except Exception as failure:  # noqa: BLE001 - told to the caller.
                    self._fail(job, failure)

    def _begin(self, job: EngineJob, batch: Batch[RowT]) -> None:
        if isinstance(job, PublicJob):
            row = batch.join(job.prompt_ids, job.sampling, job.tenant, job.drawn_ids)
            self._public[row] = job
        else:
            job.stepper = job.make()
            self._private.append(job)

    def _step_batch(self, batch: Batch[RowT]) -> None:
        for drawn in batch.step():
            job = self._public[drawn.row]
            try:
                over = self._told_public(job, drawn.row, drawn.outcome, batch)
            except Exception as failure:  # noqa: BLE001 - told to the caller.
                self._drop_public(drawn.row, batch)
                self._fail(job, failure)
                continue
            if over:
                self._drop_public(drawn.row, batch)
                self._admission.leave(job.kind)

    def _told_public(
        self,
        job: PublicJob,
        row: RowT,
        outcome: Choice | Exception,
        batch: Batch[RowT],
    ) -> bool:
        """Put the row's piece in the outbox; return whether the answer is over."""
        if isinstance(outcome, Exception):
            raise outcome
        first = job.tokens == len(job.drawn_ids)
        job.tokens += 1
        last = job.tokens >= job.sampling.tokens_max
        piece = job.answer.push(outcome.token_id, last=last, logprob=outcome.logprob)
        if first:
            cached = batch.prompt_tokens_cached(row)
            piece = replace(piece, prompt_tokens_cached=cached)
        return self._tell(job, piece)

    def _step_private(self, job: PrivateJob) -> bool:
        """Step a private job; return whether it went on, to a token or to its end."""
        if job.stepper is None:
            raise RuntimeError("a private job is stepped before it was made")
        try:
            drawn = job.stepper.step()
            if drawn is None:
                return False
            token_id, last = drawn
            over = self._tell(job, job.answer.push(token_id, last=last))
        except Exception as failure:  # noqa: BLE001 - told to the caller.
            self._drop_private(job)
            self._fail(job, failure)
            return True
        if over:
            self._drop_private(job)
            self._admission.leave(job.kind)
        return True

    def _tell(self, job: EngineJob, piece: Piece) -> bool:
        self._outbox.append((job.deliver, piece))
        return piece.finish is not None

    def _fail(self, job: EngineJob, failure: Exception) -> None:
        self._admission.leave(job.kind)
        told: Exception = failure
        if job.kind is JobKind.PUBLIC and not isinstance(failure, FederationError):
            _log.error("a generation failed", exc_info=failure)
            told = Internal("The model failed on this request.")
        self._outbox.append((job.deliver, told))

    def _drop_cancelled(self, batch: Batch[RowT]) -> None:
        for row, job in tuple(self._public.items()):
            if job.cancelled:
                self._drop_public(row, batch)
                self._admission.leave(job.kind)
        for private in tuple(self._private):
            if private.cancelled:
                self._drop_private(private)
                self._admission.leave(private.kind)

    def _drop_public(self, row: RowT, batch: Batch[RowT]) -> None:
        del self._public[row]
        batch.leave(row)

    def _drop_private(self, job: PrivateJob) -> None:
        self._private.remove(job)
        stepper, job.stepper = job.stepper, None
        try:
            if stepper is not None:
                stepper.close()
        except Exception:  # noqa: BLE001 - a defect of one job, told to the log.
            # Its caller has been served or told already; the others must go on.
            _log.exception("a private job could not let go of what it held")

    def _end_all(self, batch: Batch[RowT], ending: Outcome) -> None:
        left: list[EngineJob] = self._admission.close()
        left += [*self._public.values(), *self._private]
        for row in tuple(self._public):
            self._drop_public(row, batch)
        for private in tuple(self._private):
            self._drop_private(private)
        self._outbox += [(job.deliver, ending) for job in left]
        self._flush()

    def _flush(self) -> None:
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self._post(outbox)
