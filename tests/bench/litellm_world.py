"""LiteLLM's proxy before a mocked upstream, as a router benchmark's second system.

Decides how it runs: one worker on the router's processor, without keys, database,
telemetry and logs, over plain HTTP. Every one of these spares it work that the router
does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.bench.http_calls import HttpTarget, WrongAnswer
from tests.bench.mock_upstream import MODEL
from tests.bench.peers.environment import LITELLM, PeerUnavailable
from tests.bench.pinning import process
from tests.bench.router_world import addresses, two_cores
from tests.bench.timing import Timing

START_TIMEOUT_S: Final = 180.0
_QUIET: Final = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "NO_PROXY": "*",
}


@dataclass(frozen=True, slots=True)
class LitellmWorld:
    """The two ways to an answer, and the process that is charged."""

    direct: HttpTarget
    proxied: HttpTarget
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the processor seconds that LiteLLM's processes have used."""
        everyone = [self.process, *self.process.children(recursive=True)]
        times = [one.cpu_times() for one in everyone]
        return float(sum(one.user + one.system for one in times))


@asynccontextmanager
async def litellm_world(folder: Path, timing: Timing) -> AsyncIterator[LitellmWorld]:
    """Start upstream and proxy, and yield once both answer.

    Raises PeerUnavailable where LiteLLM does not start.
    """
    upstream, proxy = addresses(2)
    configuration = folder / "litellm.yaml"
    configuration.write_text(_configuration(upstream), encoding="utf-8")
    ours, theirs = two_cores()
    with ExitStack() as stack:
        stack.enter_context(
            process(
                (
                    *(sys.executable, "-m", "tests.bench.mock_upstream", upstream),
                    *(str(timing.first_ms), str(timing.token_ms)),
                ),
                log=folder / "upstream.log",
                core=theirs,
            )
        )
        log = folder / "litellm.log"
        running = stack.enter_context(
            process(_command(configuration, proxy), log=log, core=ours)
        )
        world = LitellmWorld(
            HttpTarget(upstream), HttpTarget(proxy), psutil.Process(running.pid)
        )
        try:
            await _answering(world, log)
            yield world
        finally:
            world.direct.close()
            world.proxied.close()


def _command(configuration: Path, address: str) -> tuple[str, ...]:
    host, _, port = address.rpartition(":")
    settings = (f"{name}={value}" for name, value in _QUIET.items())
    program = str(LITELLM.python.with_name("litellm"))
    return (
        *("env", *settings, program, "--config", str(configuration)),
        *("--host", host, "--port", port, "--num_workers", "1"),
    )


def _configuration(upstream: str) -> str:
    return f"""\
model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: http://{upstream}/v1
      api_key: none
litellm_settings:
  num_retries: 0
"""


async def _answering(world: LitellmWorld, log: Path) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await world.proxied.is_there("/health/liveliness"):
                if world.process.status() == psutil.STATUS_ZOMBIE:
                    raise PeerUnavailable(f"litellm ended: {_last_words(log)}")
                await asyncio.sleep(0.2)
            await world.direct.unary()()
            await world.proxied.unary()()
    except (TimeoutError, psutil.Error, WrongAnswer) as error:
        raise PeerUnavailable(f"litellm: {error!r}; {_last_words(log)}") from error


def _last_words(log: Path) -> str:
    return " ".join(log.read_text("utf-8", errors="replace").split())[-500:]
