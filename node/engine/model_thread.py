"""The one thread that runs the model, turn by turn.

Decides whose turn it is: each turn admits who has a slot, gives the batch one step,
and every private job one step of its own. Refuses to know torch and the event loop:
it steps what it is given and posts what comes out. One caller's failure ends that
caller's job only.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from federated_router.kit.errors import FederationError, Internal
from node.engine.admission import Admission, JobKind
from node.engine.answer import Answer
from node.engine.engine import FinishReason, Piece, Sampling, Stepper
from node.engine.piece_stream import Deliver, Outcome

_log = logging.getLogger(__name__)

Post = Callable[[list[tuple[Deliver, Outcome]]], None]


@dataclass(slots=True, eq=False)
class PublicJob:
    """A request of the batch. `deliver` runs on the event loop, by way of `Post`."""

    prompt_ids: Sequence[int] = field(repr=False)
    sampling: Sampling
    answer: Answer
    deliver: Deliver
    cancelled: bool = False
    tokens: int = 0
    kind: JobKind = JobKind.PUBLIC


@dataclass(slots=True, eq=False)
class PrivateJob:
    """A request that makes its own passes, once `make` has run in the model thread."""

    make: Callable[[], Stepper]
    answer: Answer
    deliver: Deliver
    cancelled: bool = False
    stepper: Stepper | None = None
    kind: JobKind = JobKind.PRIVATE


EngineJob = PublicJob | PrivateJob


RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


class Drawn(Protocol[RowT_co]):
    """What a step gave one row of the batch."""

    @property
    def row(self) -> RowT_co:
        """Return the row, as `join` returned it."""
        ...

    @property
    def token_id(self) -> int:
        """Return the token, where there is no failure."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Return what ended the row, if anything did."""
        ...


class Batch(Protocol[RowT]):
    """What the thread needs of a batcher."""

    def join(self, prompt_ids: Sequence[int], sampling: Sampling) -> RowT:
        """Add a request; return its row."""
        ...

    def leave(self, row: RowT) -> None:
        """Remove a row."""
        ...

    def step(self) -> Sequence[Drawn[RowT]]:
        """Give every ready row one more token."""
        ...


ENDED = Piece("", (), FinishReason.CANCELLED)


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
        try:
            while self._admission.is_open:
                if not self._public and not self._private:
                    self._admission.wait_for_work()
                self.turn(batch)
        except Exception:  # noqa: BLE001 - whatever it was, callers must hear of it.
            _log.exception("the model thread failed; the engine takes no more work")
            ending = Internal("The engine failed; ask another node.")
        finally:
            self._end_all(batch, ending)

    def turn(self, batch: Batch[RowT]) -> None:
        """Admit, step the batch once and each private job once, post the pieces."""
        self._drop_cancelled(batch)
        self._admit(batch)
        if self._public:
            self._step_batch(batch)
        for job in tuple(self._private):
            self._step_private(job)
        self._flush()

    def _admit(self, batch: Batch[RowT]) -> None:
        for kind in JobKind:
            while (job := self._admission.take(kind)) is not None:
                try:
                    self._begin(job, batch)
                except Exception as failure:  # noqa: BLE001 - told to the caller.
                    self._fail(job, failure)

    def _begin(self, job: EngineJob, batch: Batch[RowT]) -> None:
        if isinstance(job, PublicJob):
            self._public[batch.join(job.prompt_ids, job.sampling)] = job
        else:
            job.stepper = job.make()
            self._private.append(job)

    def _step_batch(self, batch: Batch[RowT]) -> None:
        for drawn in batch.step():
            job = self._public[drawn.row]
            if drawn.failure is not None:
                self._drop_public(drawn.row, batch)
                self._fail(job, drawn.failure)
                continue
            job.tokens += 1
            last = job.tokens >= job.sampling.tokens_max
            if self._tell(job, drawn.token_id, last=last):
                self._drop_public(drawn.row, batch)
                self._admission.leave(job.kind)

    def _step_private(self, job: PrivateJob) -> None:
        if job.stepper is None:
            raise RuntimeError("a private job is stepped before it was made")
        try:
            token_id, last = job.stepper.step()
            over = self._tell(job, token_id, last=last)
        except Exception as failure:  # noqa: BLE001 - told to the caller.
            self._drop_private(job)
            self._fail(job, failure)
            return
        if over:
            self._drop_private(job)
            self._admission.leave(job.kind)

    def _tell(self, job: EngineJob, token_id: int, *, last: bool) -> bool:
        """Put the token's piece in the outbox; return whether the answer is over."""
        piece = job.answer.push(token_id, last=last)
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
