"""Turns are fair, and one job's failure is its own; no model and no thread needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.engine.admission import Admission
from node.engine.answer import Answer
from node.engine.engine import FinishReason, Piece, Sampling
from node.engine.limits import EngineLimits
from node.engine.model_thread import EngineJob, ModelThread, PrivateJob, PublicJob
from node.engine.piece_stream import Outcome

LIMITS = EngineLimits(slots=4, private_slots=2, waiting_max=4)


@dataclass(frozen=True, slots=True)
class DrawnLetter:
    """What the fake batch gives a row."""

    row: str
    token_id: int
    failure: Exception | None = None


class LetterBatch:
    """A batch whose rows are named and always draw the letter a."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def join(self, prompt_ids: Sequence[int], sampling: Sampling) -> str:
        """Name the row after its prompt."""
        del sampling
        self.rows.append(f"row {prompt_ids[0]}")
        return self.rows[-1]

    def leave(self, row: str) -> None:
        """Remove the row."""
        self.rows.remove(row)

    def step(self) -> list[DrawnLetter]:
        """Draw for every row."""
        return [DrawnLetter(row, ord("a")) for row in self.rows]


class LetterSteps:
    """A private job that says b, and cannot be closed in peace."""

    def __init__(self, *, closes: bool = True) -> None:
        self.steps = 0
        self._closes = closes

    def step(self) -> tuple[int, bool]:
        """Say b."""
        self.steps += 1
        return ord("b"), self.steps == 3

    def close(self) -> None:
        """Fail, if told to."""
        if not self._closes:
            raise OSError("cannot close")


@dataclass(slots=True)
class Stage:
    """A thread's body with everything around it, and what it posted."""

    admission: Admission[EngineJob]
    thread: ModelThread[str]
    batch: LetterBatch
    told: list[tuple[str, Outcome]]

    def public(self, number: int, tokens_max: int) -> PublicJob:
        """Admit a public job."""
        answer = Answer(lambda ids: bytes(ids).decode(), stop=(), end_ids=())
        job = PublicJob(
            (number,),
            Sampling(tokens_max=tokens_max),
            answer,
            lambda outcome: self.told.append((f"public {number}", outcome)),
        )
        self.admission.join(job)
        return job

    def private(self, steps: LetterSteps) -> PrivateJob:
        """Admit a private job."""
        answer = Answer(lambda ids: bytes(ids).decode(), stop=(), end_ids=())
        job = PrivateJob(
            lambda: steps,
            answer,
            lambda outcome: self.told.append(("private", outcome)),
        )
        self.admission.join(job)
        return job

    def pieces(self, name: str) -> list[Piece]:
        """Return the pieces that one job was told."""
        return [
            outcome
            for who, outcome in self.told
            if who == name and isinstance(outcome, Piece)
        ]


def staged() -> Stage:
    """Return an open stage on which posting delivers at once."""
    admission: Admission[EngineJob] = Admission(LIMITS)
    admission.open()

    def post(outbox: list[tuple[object, Outcome]]) -> None:
        for deliver, outcome in outbox:
            deliver(outcome)  # type: ignore[operator]

    thread = ModelThread[str](admission, post)  # type: ignore[arg-type]
    return Stage(admission, thread, LetterBatch(), [])


def test_each_turn_gives_everyone_one_token() -> None:
    """Neither the batch nor a private job can starve the other."""
    stage = staged()
    stage.public(1, tokens_max=9)
    stage.public(2, tokens_max=9)
    stage.private(LetterSteps())

    stage.thread.turn(stage.batch)

    assert [
        len(stage.pieces(name)) for name in ("public 1", "public 2", "private")
    ] == [
        1,
        1,
        1,
    ]


def test_cancelled_job_leaves_before_the_next_step() -> None:
    """Whoever goes away costs at most the step that is under way."""
    stage = staged()
    job = stage.public(1, tokens_max=9)
    stage.thread.turn(stage.batch)

    job.cancelled = True
    stage.thread.turn(stage.batch)

    assert len(stage.pieces("public 1")) == 1
    assert stage.batch.rows == []
    assert stage.admission.load().running == 0


def test_job_that_cannot_be_closed_hurts_nobody() -> None:
    """A defect at the end of one job must not end the thread."""
    stage = staged()
    stage.public(1, tokens_max=9)
    stage.private(LetterSteps(closes=False))

    for _ in range(4):
        stage.thread.turn(stage.batch)

    assert stage.pieces("private")[-1].finish is FinishReason.LENGTH
    assert len(stage.pieces("public 1")) == 4
    assert stage.admission.load().running == 1


def test_end_tells_everyone_who_is_left() -> None:
    """No caller waits for an engine that is gone."""
    stage = staged()
    for number in range(6):
        stage.public(number, tokens_max=9)
    stage.thread.turn(stage.batch)
    stage.admission.close()

    stage.thread.run(stage.batch)

    ended = [
        who
        for who, outcome in stage.told
        if outcome == Piece("", (), FinishReason.CANCELLED)
    ]
    assert ended == [f"public {number}" for number in range(4)]
    assert stage.batch.rows == []
