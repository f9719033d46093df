"""Tokens per second and time to the first token, beside three ways of transformers.

The same prompts, greedy, one thread, in one run: a loop over `generate`, static batches
of `generate`, transformers' continuous batching, and the engine. They take turns, and
figures are medians. Answers have mixed lengths: a static batch waits for its longest;
`time_ratio_to_static` compares answers of equal length, where it wastes nothing.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from federated_router.cli.models import ensure_models
from federated_router.kit import log
from node.engine.engine import ChatMessage
from node.engine.transformers_engine import TransformersEngine
from node.reference import corpus
from tests.bench.continuous_peer import ContinuousPeer
from tests.bench.engine_independence import same_in_company
from tests.bench.engine_load import SLOTS, answer_all, answer_late, served_model
from tests.bench.figures import Sheet
from tests.bench.generate_peer import Answered, GeneratePeer, Ids

MODEL = "reference-large"
MODELS = Path("build/models")
TURNS = int(os.environ.get("BENCH_TURNS", "3"))
LONG_EVERY = 4
CONTEXT_TOKENS = 512
EQUAL_CALLERS = 8
EQUAL_BATCHES = 3
SAMPLED = 64


@dataclass(frozen=True, slots=True)
class Work:
    """What a model is asked: requests by callers, and the longest answer."""

    prefix: str
    requests: dict[int, int]
    tokens_max: int
    equal_tokens: int


REFERENCE = Work("engine", {1: 8, 8: 32, 32: 64}, tokens_max=96, equal_tokens=32)
MID_SIZED = Work("engine.mid", {1: 2, 8: 16, 32: 32}, tokens_max=16, equal_tokens=16)


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`; the reference model is trained where there is none."""
    log.configure(level="warning", form="text", daemon="bench")
    torch.set_num_threads(1)
    reference = ensure_models(MODELS, print)[MODEL]
    asyncio.run(_measure(sheet, reference, REFERENCE))
    mid_sized = build_mid_sized(folder / "mid", tokenizer_of=reference)
    asyncio.run(_measure(sheet, mid_sized, MID_SIZED))


def build_mid_sized(directory: Path, *, tokenizer_of: Path) -> Path:
    """Write a random Llama of 79 million parameters, the same each time."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=768,
            intermediate_size=2048,
            num_hidden_layers=11,
            num_attention_heads=12,
            max_position_embeddings=CONTEXT_TOKENS,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


async def _measure(sheet: Sheet, directory: Path, work: Work) -> None:
    generate = GeneratePeer.load(directory)
    with ContinuousPeer.running(
        directory, slots=SLOTS, context_tokens=CONTEXT_TOKENS
    ) as continuous:
        async with served_model(directory) as served:
            contest = Contest(served.engine, generate, continuous, work)
            for callers, requests in work.requests.items():
                await contest.mixed(sheet, callers, requests)
            await contest.equal(sheet)
            same = await same_in_company(
                served.engine,
                _prompts(served.engine, SAMPLED),
                tokens_max=work.equal_tokens,
            )
            sheet.record(f"{work.prefix}.sampled_same_in_company", same, "ratio")


@dataclass(frozen=True, slots=True)
class Contest:
    """The engine and its peers on one model."""

    engine: TransformersEngine
    generate: GeneratePeer
    continuous: ContinuousPeer
    work: Work

    async def mixed(self, sheet: Sheet, callers: int, requests: int) -> None:
        """Compare all on prompts whose answers have their own lengths."""
        prompts = _prompts(self.engine, requests)
        runs: dict[str, list[Answered]] = {}
        for _ in range(TURNS):
            for name, run in (await self._turn(prompts, callers)).items():
                runs.setdefault(name, []).append(run)
        for name, found in runs.items():
            self._record(sheet, name, callers, found)
        for name in ("loop", "static", "transformers_cb"):
            ratio = median(
                one.tokens_per_s / two.tokens_per_s
                for one, two in zip(runs["ours"], runs[name], strict=True)
            )
            figure = f"{self.work.prefix}.speedup_to_{name}.{callers}"
            sheet.record(figure, ratio, "ratio")
        same = map(tuple.__eq__, runs["ours"][0].answers, runs["loop"][0].answers)
        figure = f"{self.work.prefix}.equal_answers.{callers}"
        sheet.record(figure, sum(same) / requests, "ratio")

    async def _turn(self, prompts: Sequence[Ids], callers: int) -> dict[str, Answered]:
        tokens_max = self.work.tokens_max
        return {
            "ours": await answer_all(
                self.engine, prompts, callers=callers, tokens_max=tokens_max
            ),
            "loop": await asyncio.to_thread(
                self._generated, prompts, callers=callers, batch=1
            ),
            "static": await asyncio.to_thread(
                self._generated, prompts, callers=callers, batch=callers
            ),
            "transformers_cb": await asyncio.to_thread(
                self.continuous.answer_all,
                prompts,
                callers=callers,
                tokens_max=tokens_max,
            ),
        }

    def _generated(
        self, prompts: Sequence[Ids], *, callers: int, batch: int
    ) -> Answered:
        torch.set_num_threads(1)
        return self.generate.answer_all(
            prompts, callers=callers, batch=batch, tokens_max=self.work.tokens_max
        )

    def _record(
        self, sheet: Sheet, name: str, callers: int, runs: Sequence[Answered]
    ) -> None:
        prefix = self.work.prefix
        rate = median(one.tokens_per_s for one in runs)
        sheet.record(f"{prefix}.tokens_per_s.{name}.{callers}", rate, "1/s")
        first_ms = median(value for one in runs for value in one.first_token_ms)
        sheet.record(f"{prefix}.first_token_ms.{name}.{callers}", first_ms, "ms")

    async def equal(self, sheet: Sheet) -> None:
        """Compare with static batches on answers of equal length.

        Once with callers who begin together, and once with callers who come one after
        the other, so that each has to join a batch that runs, for good out of step with
        it; the peer has all of them at once.
        """
        prompts = self._equal_prompts()
        together, late = [], []
        for _ in range(TURNS):
            static = await asyncio.to_thread(self._equal_static, prompts)
            for ratios, answer in ((together, answer_all), (late, answer_late)):
                ours = await answer(
                    self.engine,
                    prompts,
                    callers=EQUAL_CALLERS,
                    tokens_max=self.work.equal_tokens,
                )
                self._require_equal([*ours.answers, *static.answers])
                ratios.append(ours.seconds / static.seconds)
        prefix = f"{self.work.prefix}.time_ratio_to_static"
        sheet.record(f"{prefix}.{EQUAL_CALLERS}", median(together), "ratio")
        sheet.record(f"{prefix}_late.{EQUAL_CALLERS}", median(late), "ratio")

    def _equal_static(self, prompts: Sequence[Ids]) -> Answered:
        torch.set_num_threads(1)
        return self.generate.answer_all(
            prompts,
            callers=EQUAL_CALLERS,
            batch=EQUAL_CALLERS,
            tokens_max=self.work.equal_tokens,
        )

    def _require_equal(self, answers: Sequence[Ids]) -> None:
        if {len(one) for one in answers} != {self.work.equal_tokens}:
            raise ValueError("the answers of equal length have other lengths")

    def _equal_prompts(self) -> list[Ids]:
        """Return prompts of one length whose answers do not end early."""
        tokens = self.work.equal_tokens
        candidates = _prompts(self.engine, 16 * EQUAL_CALLERS)
        length = min(len(one) for one in candidates)
        cut = [one[-length:] for one in dict.fromkeys(candidates)]
        run = self.generate.answer_all(
            cut, callers=EQUAL_CALLERS, batch=EQUAL_CALLERS, tokens_max=tokens
        )
        pairs = zip(cut, run.answers, strict=True)
        long = [prompt for prompt, answer in pairs if len(answer) == tokens]
        endless = cycle(long)
        return [next(endless) for _ in range(EQUAL_CALLERS * EQUAL_BATCHES)]


def _prompts(engine: TransformersEngine, count: int) -> list[Ids]:
    """Return prompts of the model's own world; every so many want a long answer."""
    short, long = cycle(corpus.public_questions()), cycle(corpus.long_prompts())
    texts = (
        next(long) if number % LONG_EVERY == 0 else next(short)
        for number in range(count)
    )
    return [tuple(engine.prompt_ids([ChatMessage("user", text)])) for text in texts]
