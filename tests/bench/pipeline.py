"""Milliseconds per token of a model split over 1, 2 and 3 nodes, near and far.

Each shard is a process of its own; a proxy adds 0, 5 or 50 ms to each hop, that is to
the way from the leader to a shard and back. The sum of the parts is what the planner
adds up, each shard's own time and the way to it, and the leader's own time.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

import torch
from google.protobuf.json_format import ParseDict
from transformers import LlamaForCausalLM

from federated_router.api.v1 import registry_pb2
from federated_router.kit import log
from federated_router.kit.authority import Authority
from federated_router.kit.identity import Role
from federated_router.registry.shard_offers import shards_of
from node.engine.decoding import TokenDraw
from node.engine.engine import Sampling
from node.engine.limits import EngineLimits
from node.shards.leader_thread import LeaderThread
from node.shards.pipeline_engine import PipelineEngine
from tests.bench.figures import Sheet
from tests.support.delay_proxy import delayed
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.pipeline_world import MODEL, PIPELINE, PipelineWorld, pipeline_world
from tests.support.tiny_model import tiny_config, tiny_tokenizer

LAYERS = 12
CONTEXT_TOKENS = 256
CUTS = ((0, 12), (0, 6, 12), (0, 4, 8, 12))
HOP_MS = (0, 5, 50)
TURNS = 3
TOKENS_MAX = {0: 64, 5: 48, 50: 16}
PROMPT = tuple(range(5, 37))


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`; a random model of 38 million parameters is made."""
    log.configure(level="warning", form="text", daemon="bench")
    torch.set_num_threads(1)
    asyncio.run(_measure(sheet, folder))


async def _measure(sheet: Sheet, folder: Path) -> None:
    directory = _model(folder / "model")
    pki = Pki(folder / "pki", Authority.open(folder / "pki", trust_domain=DOMAIN))
    for cuts in CUTS:
        async with _shards(pki, directory, cuts) as started:
            for hop_ms in HOP_MS:
                await _compare(sheet, pki, directory, started, hop_ms=hop_ms)


async def _compare(
    sheet: Sheet,
    pki: Pki,
    directory: Path,
    started: Sequence[tuple[str, registry_pb2.ShardOffer]],
    *,
    hop_ms: int,
) -> None:
    async with pipeline_world(pki) as world, AsyncExitStack() as stack:
        for at, (address, offer) in enumerate(started):
            far = await stack.enter_async_context(
                delayed(address, one_way_s=hop_ms / 2000)
            )
            _register(world, f"s{at}", far, offer)
        engine = await world.leader(
            directory,
            limits=EngineLimits(slots=1, private_slots=1, waiting_max=0),
            pipeline=PIPELINE.model_copy(update={"discovery_interval_s": 5.0}),
        )
        await _token_ms(engine, tokens_max=4)
        took_ms = median(
            [
                await _token_ms(engine, tokens_max=TOKENS_MAX[hop_ms])
                for _ in range(TURNS)
            ]
        )
        ways_ms = sum(engine.directory.link_ms.values())
        parts_ms = sum(offer.token_ms for _, offer in started) + ways_ms
        parts_ms += await _own_ms(engine)
        await engine.stop()
    name = f"{len(started)}.{hop_ms}"
    sheet.record(f"pipeline.token_ms.{name}", took_ms, "ms")
    sheet.record(f"pipeline.parts_ms.{name}", parts_ms, "ms")
    sheet.record(f"pipeline.ratio_to_parts.{name}", took_ms / parts_ms, "ratio")


async def _token_ms(engine: PipelineEngine, *, tokens_max: int) -> float:
    """Return the milliseconds between two tokens of one answer, on average."""
    pieces = engine.generate(PROMPT, Sampling(tokens_max=tokens_max))
    times_s: list[float] = []
    tokens = 0
    async for piece in pieces:
        times_s.append(time.perf_counter())
        tokens += len(piece.token_ids)
    return (times_s[-1] - times_s[0]) / (tokens - 1) * 1000


async def _own_ms(engine: PipelineEngine) -> float:
    """Return the milliseconds of head, draw and embedding of one token."""
    thread: LeaderThread = engine.thread
    hidden = torch.zeros((1, engine.model.ends.width))
    took_ms = []
    for _ in range(20):
        begin_s = time.perf_counter()
        await thread.choose(hidden, TokenDraw(Sampling(tokens_max=1)))
        took_ms.append((time.perf_counter() - begin_s) * 1000)
    return median(took_ms)


def _register(
    world: PipelineWorld, name: str, address: str, offer: registry_pb2.ShardOffer
) -> None:
    world.registry.register(
        name=f"nodes/{name}",
        address=address,
        region="north",
        offers=(),
        shards=shards_of(registry_pb2.Node(shards=[offer])),
    )


@asynccontextmanager
async def _shards(
    pki: Pki, directory: Path, cuts: tuple[int, ...]
) -> AsyncIterator[list[tuple[str, registry_pb2.ShardOffer]]]:
    """Run a process for the layers between each two cuts; end them."""
    processes: list[subprocess.Popen[str]] = []
    started = []
    try:
        for at, first in enumerate(cuts[:-1]):
            processes.append(_process(pki, f"s{at}", directory, (first, cuts[at + 1])))
            said = json.loads(await asyncio.to_thread(_first_line, processes[-1]))
            offer = ParseDict(said["offer"], registry_pb2.ShardOffer())
            started.append((said["address"], offer))
        yield started
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _process(
    pki: Pki, name: str, directory: Path, layers: tuple[int, int]
) -> "subprocess.Popen[str]":
    given = {
        "tls": pki.tls(Role.NODE, name).model_dump(mode="json"),
        "domain": DOMAIN,
        "model": MODEL,
        "directory": str(directory),
        "layers": layers,
        "context_tokens": CONTEXT_TOKENS,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.shard_process", json.dumps(given)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _first_line(process: "subprocess.Popen[str]") -> str:
    if process.stdout is None:
        raise RuntimeError("a shard's output is not piped")
    return process.stdout.readline()


def _model(directory: Path) -> Path:
    config = tiny_config(
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=LAYERS,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=CONTEXT_TOKENS,
    )
    # No answer may end early.
    config.eos_token_id = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.save_pretrained(directory)
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(directory)
    return directory
