"""The two reference models, made once and kept in a cache folder.

Decides their names, shapes and schedules, and when a kept one is still the right one;
refuses to know how they are served. A folder's name carries a digest of everything
that decides its content, so that a stale model is never taken for a fresh one.
"""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from federated_router.kit.clock import Clock, SystemClock
from node.reference.corpus import conversations
from node.reference.plans import (
    CHAT_TEMPLATE,
    ModelShape,
    Rates,
    TokenizerPlan,
    TrainingPlan,
)

# Raise when training.py or tokenizer.py change what comes out; a change of the corpus
# or of a specification is noticed by the digest itself.
RECIPE_VERSION = 1

CONTEXT_TOKENS = 512
_DIGEST_SEED = 0
_DIGEST_CHATS = 400
_REPORT_EVERY_STEPS = 20
_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """What makes one reference model what it is."""

    name: str
    shape: ModelShape
    tokenizer: TokenizerPlan
    plan: TrainingPlan


_TOKENIZER = TokenizerPlan(seed=11, chats=8000, vocabulary_max=2048)

# One thread each: where other processes want the processor, two that wait for each
# other are slower than one, and the result must not depend on the number of cores.
REFERENCE_MODELS: tuple[ReferenceModel, ...] = (
    ReferenceModel(
        "reference-small",
        ModelShape(
            layers=2,
            width=64,
            heads=2,
            feed_forward_width=172,
            context_tokens=CONTEXT_TOKENS,
        ),
        _TOKENIZER,
        TrainingPlan(
            seed=7,
            steps=320,
            batch_tokens=2048,
            rates=Rates(matrices=1e-2, others=6e-3),
            threads=1,
        ),
    ),
    ReferenceModel(
        "reference-large",
        ModelShape(
            layers=4,
            width=128,
            heads=4,
            feed_forward_width=344,
            context_tokens=CONTEXT_TOKENS,
        ),
        _TOKENIZER,
        TrainingPlan(
            seed=7,
            steps=300,
            batch_tokens=2048,
            rates=Rates(matrices=1e-2, others=3e-3),
            threads=1,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far one model is; `remaining_s` is an estimate from the steps so far."""

    name: str
    step: int
    steps: int
    loss: float
    remaining_s: float


Progress = Callable[[TrainingProgress], None]


def ensure(
    cache_directory: Path,
    progress: Progress,
    *,
    models: Sequence[ReferenceModel] = REFERENCE_MODELS,
    clock: Clock | None = None,
) -> dict[str, Path]:
    """Return each model's directory, training first those that are not there yet.

    Idempotent; a run that is interrupted leaves nothing that looks finished.
    """
    cache_directory.mkdir(parents=True, exist_ok=True)
    return {
        model.name: _ensure_one(
            cache_directory, model, progress, clock or SystemClock()
        )
        for model in models
    }


def directory_of(cache_directory: Path, model: ReferenceModel) -> Path:
    """Return where the finished model lies or will lie."""
    return cache_directory / f"{model.name}-{digest(model)}"


def digest(model: ReferenceModel) -> str:
    """Return 12 hexadecimal digits over everything that decides the weights."""
    hashed = hashlib.sha256()
    hashed.update(repr((RECIPE_VERSION, model, CHAT_TEMPLATE)).encode())
    for chat in conversations(_DIGEST_SEED, _DIGEST_CHATS):
        hashed.update(repr(chat).encode())
    return hashed.hexdigest()[:12]


def _ensure_one(
    cache_directory: Path, model: ReferenceModel, progress: Progress, clock: Clock
) -> Path:
    finished = directory_of(cache_directory, model)
    if finished.is_dir():
        return finished
    with tempfile.TemporaryDirectory(dir=cache_directory, prefix=".making-") as folder:
        making = Path(folder) / model.name
        _make(making, model, progress, clock)
        try:
            making.rename(finished)
        except OSError:
            # Another process finished the same model first; its copy is as good.
            if not finished.is_dir():
                raise
    return finished


def _make(
    directory: Path, model: ReferenceModel, progress: Progress, clock: Clock
) -> None:
    # Imported where it is needed: torch takes seconds, and a kept model needs none.
    from node.reference.making import make  # noqa: PLC0415

    started_s = clock.monotonic_s()

    def report(step: int, loss: float) -> None:
        if step % _REPORT_EVERY_STEPS and step != model.plan.steps:
            return
        each_s = (clock.monotonic_s() - started_s) / step
        remaining_s = each_s * (model.plan.steps - step)
        progress(
            TrainingProgress(model.name, step, model.plan.steps, loss, remaining_s)
        )

    make(directory, model.shape, model.tokenizer, model.plan, report)
    _let_others_read(directory)


def _let_others_read(directory: Path) -> None:
    """Open the files to other users: nodes may run under a user of their own."""
    directory.chmod(_DIRECTORY_MODE)
    for path in directory.iterdir():
        path.chmod(_FILE_MODE)
