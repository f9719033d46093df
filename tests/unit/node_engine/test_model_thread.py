"""Turns are fair, and one job's failure is its own; no model and no thread needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from federated_router.kit.errors import DeadlineExceeded, Internal
from node.engine.admission import Admission
from node.engine.answer import Answer
from node.engine.decoding import Choice
from node.engine.engine import DEFAULT_TERMS, Sampling, Terms
from node.engine.jobs import EngineJob, PrivateJob, PublicJob
from node.engine.limits import EngineLimits
from node.engine.model_thread import ModelThread
from node.engine.piece_stream import Outcome
from node.engine.pieces import FinishReason, Piece

LIMITS = EngineLimits(slots=4, private_slots=2, waiting_max=4)


@dataclass(frozen=True, slots=True)
class DrawnLetter:
    """What the fake batch gives a row."""

    row: str
    outcome: Choice | Exception


class LetterBatch:
    """A batch whose rows are named and always draw the letter a."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def join(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        tenant: str,
        drawn_ids: Sequence[int],
    ) -> str:
        """Name the row after its prompt."""
        del sampling, tenant, drawn_ids
        self.rows.append(f"row {prompt_ids[0]}")
        return self.rows[-1]

    def prompt_tokens_cached(self, row: str) -> int:
        """Say that three tokens were kept."""
        del row
        return 3

    def leave(self, row: str) -> None:
        """Remove the row."""
        self.rows.remove(row)

    def step(self) -> list[DrawnLetter]:
        """Draw for every row."""
        return [DrawnLetter(row, Choice(ord("a"))) for row in self.rows]


class LetterSteps:
    """A private job that says b where it may, and cannot be closed in peace."""

    def __init__(self, *, closes: bool = True) -> None:
        self.steps = 0
        self.may_go_on = True
        self._closes = closes

    def step(self) -> tuple[int, bool] | None:
        """Say b, or nothing."""
        if not self.may_go_on:
            return None
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

    def public(
        self, number: int, tokens_max: int, terms: Terms = DEFAULT_TERMS
    ) -> PublicJob:
        """Admit a public job."""
        answer = Answer(lambda ids: bytes(ids).decode(), stop=(), end_ids=())
        job = PublicJob(
            (number,),
            Sampling(tokens_max=tokens_max),
            "tenant",
            answer,
            lambda outcome: self.told.append((f"public {number}", outcome)),
        )
        self.admission.join(job, terms)
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

    names = ("public 1", "public 2", "private")
    assert [len(stage.pieces(name)) for name in names] == [1, 1, 1]


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


def test_private_job_that_may_not_go_on_holds_nobody_up() -> None:
    """It keeps its slot and is asked again; only a thread with no other work rests."""
    stage = staged()
    stage.public(1, tokens_max=2)
    steps = LetterSteps()
    steps.may_go_on = False
    stage.private(steps)

    moved = [stage.thread.turn(stage.batch) for _ in range(3)]
    steps.may_go_on = True
    moved.append(stage.thread.turn(stage.batch))

    assert moved == [True, True, False, True]
    assert len(stage.pieces("public 1")) == 2
    assert [piece.text for piece in stage.pieces("private")] == ["b"]


def test_waiting_request_whose_deadline_passes_is_told() -> None:
    """It never runs: nobody would read its answer."""
    stage = staged()
    for number in range(LIMITS.slots):
        stage.public(number, tokens_max=9)
    stage.thread.turn(stage.batch)
    stage.public(9, tokens_max=9, terms=Terms(deadline_s=0.0))

    stage.thread.turn(stage.batch)

    (told,) = [outcome for who, outcome in stage.told if who == "public 9"]
    assert isinstance(told, DeadlineExceeded)
    assert stage.admission.load().waiting == 0


def test_first_piece_tells_how_much_of_the_prompt_was_kept() -> None:
    """Once, so that whoever adds it up is right."""
    stage = staged()
    stage.public(1, tokens_max=3)

    for _ in range(3):
        stage.thread.turn(stage.batch)

    told = [piece.prompt_tokens_cached for piece in stage.pieces("public 1")]
    assert told == [3, 0, 0]


def test_text_that_cannot_be_made_ends_its_request_alone() -> None:
    """A tokenizer that fails on one answer must not end the thread."""
    stage = staged()
    broken, _ = stage.public(1, tokens_max=9), stage.public(2, tokens_max=9)

    def fail(_: Sequence[int]) -> str:
        raise UnicodeError

    broken.answer = Answer(fail, stop=(), end_ids=())
    for _ in range(2):
        stage.thread.turn(stage.batch)

    (told,) = [outcome for who, outcome in stage.told if who == "public 1"]
    assert isinstance(told, Internal)
    assert len(stage.pieces("public 2")) == 2
    assert stage.admission.load().running == 1


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
