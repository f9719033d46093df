"""Making a reference model: deterministic, whole or not at all, made once."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from federated_router.kit.clock import ManualClock
from node.reference import corpus
from node.reference.models import (
    REFERENCE_MODELS,
    ReferenceModel,
    TrainingProgress,
    digest,
    directory_of,
    ensure,
)
from node.reference.optimisers import rate_at, split_parameters
from node.reference.plans import ModelShape, Rates, TokenizerPlan, TrainingPlan
from node.reference.tokenizer import train_tokenizer
from node.reference.training import Lesson, lesson_from, split_by_tokens

TINY = ReferenceModel(
    "reference-tiny",
    ModelShape(layers=1, width=16, heads=2, feed_forward_width=32, context_tokens=512),
    TokenizerPlan(seed=1, chats=300, vocabulary_max=512),
    TrainingPlan(seed=1, steps=8, batch_tokens=256, rates=Rates(1e-2, 1e-2), threads=1),
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer trained as the reference models' is, on fewer chats."""
    return train_tokenizer(
        TokenizerPlan(seed=1, chats=2000, vocabulary_max=2048), context_tokens=512
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a tiny model made from nothing."""
    cache = tmp_path_factory.mktemp("made")
    return ensure(cache, lambda _: None, models=[TINY])[TINY.name]


def test_every_medicine_is_one_token_after_a_space(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """One draw decides the medicine, so one draw is what its release costs."""
    lengths = {
        len(tokenizer.encode(f" {name}", add_special_tokens=False))
        for name in corpus.MEDICINES
    }

    assert lengths == {1}


def test_lessons_are_what_the_chat_template_renders(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Training and serving must see the same tokens for the same chat."""
    for chat in corpus.conversations(5, 40):
        turns = [{"role": turn.role, "content": turn.content} for turn in chat]
        rendered = tokenizer.apply_chat_template(turns, return_dict=True)

        lesson = lesson_from(tokenizer, chat, context_tokens=512)

        assert list(lesson.token_ids) == rendered["input_ids"]  # type: ignore[call-overload, index]


def test_only_the_assistant_is_learnt(tokenizer: PreTrainedTokenizerFast) -> None:
    """What users say is not the model's to produce; how an answer ends is."""
    chat = (corpus.Turn("user", "Hello."), corpus.Turn("assistant", "Good day."))

    lesson = lesson_from(tokenizer, chat, context_tokens=512)

    pairs = zip(lesson.token_ids, lesson.learnt, strict=True)
    learnt = [token_id for token_id, is_learnt in pairs if is_learnt]
    assert tokenizer.decode(learnt) == "Good day.<|end|>"


def test_text_outside_the_corpus_survives_the_tokenizer(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Byte level means that nothing is out of vocabulary."""
    text = "Zażółć gęślą jaźń 😀\n\tx"

    ids = tokenizer.encode(text, add_special_tokens=False)

    assert tokenizer.decode(ids) == text


def test_two_runs_give_equal_weights(made: Path, tmp_path: Path) -> None:
    """A model is a function of its specification, so a digest can stand for it."""
    again = ensure(tmp_path, lambda _: None, models=[TINY])[TINY.name]

    first = load_file(made / "model.safetensors")
    second = load_file(again / "model.safetensors")
    assert first.keys() == second.keys()
    assert all(bool((first[key] == second[key]).all()) for key in first)


def test_made_model_is_an_ordinary_readable_directory(made: Path) -> None:
    """Any Hugging Face tool can use it, under any user."""
    names = {path.name for path in made.iterdir()}
    model = AutoModelForCausalLM.from_pretrained(made)
    loaded = AutoTokenizer.from_pretrained(made)

    assert {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    } <= names
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in made.iterdir())
    assert model.generation_config.do_sample is not True
    assert loaded.chat_template
    assert model.config.eos_token_id == loaded.eos_token_id


def test_second_ensure_makes_nothing(made: Path) -> None:
    """Once made, a model costs nothing more."""
    steps: list[TrainingProgress] = []

    found = ensure(made.parent, steps.append, models=[TINY])

    assert found == {TINY.name: made}
    assert steps == []


def test_interrupted_making_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    """Whoever presses the keys in the middle gets a whole model the next time."""

    def interrupt(_: TrainingProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(tmp_path, interrupt, models=[TINY])

    assert list(tmp_path.iterdir()) == []


def test_progress_tells_step_loss_and_time_left(tmp_path: Path) -> None:
    """A person sees how long it still takes."""
    seen: list[TrainingProgress] = []
    longer = replace(TINY, plan=replace(TINY.plan, steps=21))

    ensure(tmp_path, seen.append, models=[longer], clock=ManualClock())

    assert [progress.step for progress in seen] == [20, 21]
    assert seen[-1].remaining_s == 0
    assert all(progress.loss > 0 for progress in seen)


def test_any_change_of_a_specification_changes_the_folder(tmp_path: Path) -> None:
    """A stale model must never be taken for a fresh one."""
    changed = replace(TINY, plan=replace(TINY.plan, seed=2))

    assert digest(TINY) != digest(changed)
    assert directory_of(tmp_path, TINY) != directory_of(tmp_path, changed)


def test_reference_models_differ_in_size() -> None:
    """The demonstration routes between a better and a faster one."""
    small, large = REFERENCE_MODELS

    assert (small.name, large.name) == ("reference-small", "reference-large")
    assert (
        small.shape.layers * small.shape.width < large.shape.layers * large.shape.width
    )


def test_batches_are_no_larger_than_they_may_be() -> None:
    """Memory and the time of a step stay bounded; no lesson is lost."""
    rng = Random(2)  # noqa: S311 - a reproducible test.
    lengths = [rng.randrange(1, 90) for _ in range(200)]
    pool = [Lesson((0,) * length, (True,) * length) for length in lengths]

    batches = split_by_tokens(pool, 256)

    assert sum(len(batch) for batch in batches) == 200
    assert all(len(b) * len(b[-1].token_ids) <= 256 for b in batches)


def test_learning_rate_rises_holds_and_falls() -> None:
    """The schedule never leaves [0, 1]."""
    rates = [rate_at(step, 100) for step in range(1, 101)]

    assert rates[0] < rates[10] == 1.0 == max(rates)
    assert 0 < rates[-1] < 0.05


def test_every_weight_is_moved_by_exactly_one_optimiser(made: Path) -> None:
    """A weight that none moves stays random, one that two move runs away."""
    model = AutoModelForCausalLM.from_pretrained(made)

    matrices, others = split_parameters(model.named_parameters())

    assert len(matrices) + len(others) == len(list(model.parameters()))
    assert {parameter.ndim for parameter in matrices} == {2}
