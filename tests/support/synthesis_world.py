"""A caller of SynthesisService, with the requests that tests share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from federated_router.api.v1 import inference_pb2, synthesis_pb2_grpc
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.app import build
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from federated_router.privacy.settings import PolicySettings
from federated_router.synthesis.settings import SynthesisSettings
from tests.support.fix_pki import Pki
from tests.support.fix_router import POLICY, TOKEN_UNITS, RouterSetting, router_settings
from tests.support.running import running
from tests.support.scripted_node import MODEL, Events, chunk, started

SLOTS = 8
NAME = "syntheses/job-1"


def job_request(records: int = 20, **fields: object) -> pb.CreateSynthesisRequest:
    """Return a request for a job over `records` records: 20 are batches of 8, 8, 4."""
    request = pb.CreateSynthesisRequest(
        request_id="job-1",
        dataset="datasets/d",
        policy="policies/p",
        model=MODEL,
        messages=[
            inference_pb2.Message(role=inference_pb2.ROLE_USER, content="Write one.")
        ],
        records_count=records,
    )
    request.MergeFrom(pb.CreateSynthesisRequest(**fields))  # type: ignore[arg-type]
    return request


def records_of(number: int, count: int = SLOTS) -> list[inference_pb2.Record]:
    """Return the records of a batch, named by their places."""
    first = number * SLOTS
    return [
        inference_pb2.Record(id=f"rec-{place}", text=b"a private text")
        for place in range(first, first + count)
    ]


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls as one user; errors come as the project's."""

    stub: synthesis_pb2_grpc.SynthesisServiceStub
    router: RouterSetting

    @classmethod
    async def of(cls, router: RouterSetting, user: str = "alice") -> "Caller":
        """Return the caller with this user's certificate."""
        channel = await router.channel(Role.CLIENT, user)
        return cls(synthesis_pb2_grpc.SynthesisServiceStub(channel), router)

    async def create(self, request: pb.CreateSynthesisRequest) -> pb.Synthesis:
        """Open a job."""
        async with translated_errors():
            answer = await self.stub.CreateSynthesis(request, timeout=30)
        job: pb.Synthesis = answer.synthesis
        return job

    async def sample(
        self, number: int, count: int = SLOTS, *, name: str = NAME
    ) -> pb.SynthesisBatch:
        """Sample a batch of its own records."""
        return await self.sample_records(number, records_of(number, count), name=name)

    async def sample_records(
        self, number: int, records: list[inference_pb2.Record], *, name: str = NAME
    ) -> pb.SynthesisBatch:
        """Sample a batch of these records."""
        request = pb.SampleSynthesisRequest(
            name=name, batch_number=number, records=records
        )
        async with translated_errors():
            answer = await self.stub.SampleSynthesis(request, timeout=30)
        batch: pb.SynthesisBatch = answer.batch
        return batch

    async def get(self, name: str = NAME) -> pb.Synthesis:
        """Return a job."""
        async with translated_errors():
            answer = await self.stub.GetSynthesis(
                pb.GetSynthesisRequest(name=name), timeout=30
            )
        job: pb.Synthesis = answer.synthesis
        return job

    async def finish(self, name: str = NAME) -> pb.Synthesis:
        """Close a job."""
        async with translated_errors():
            answer = await self.stub.FinishSynthesis(
                pb.FinishSynthesisRequest(name=name), timeout=30
            )
        job: pb.Synthesis = answer.synthesis
        return job

    async def batches(self, page_size: int = 0) -> list[pb.SynthesisBatch]:
        """Return every batch that was started, page by page."""
        found: list[pb.SynthesisBatch] = []
        token = ""
        while True:
            async with translated_errors():
                page = await self.stub.ListSynthesisBatches(
                    pb.ListSynthesisBatchesRequest(
                        name=NAME, page_size=page_size, page_token=token
                    ),
                    timeout=30,
                )
            found.extend(page.batches)
            token = page.next_page_token
            if not token:
                return found

    async def tokens_spent(self) -> int:
        """Return how many tokens the data set has paid for; waits while some are held.

        The whole charge must be a number of tokens.
        """
        async with asyncio.timeout(30):
            while (account := await self.router.account()).held_units:
                await asyncio.sleep(0.02)
        tokens, rest = divmod(account.spent_units, TOKEN_UNITS)
        assert rest == 0
        return tokens


@asynccontextmanager
async def router_with(
    pki: Pki,
    directory: Path,
    synthesis: SynthesisSettings,
    policy: dict[str, object] = POLICY,
) -> AsyncIterator[RouterSetting]:
    """Run a router with these limits."""
    settings = router_settings(pki, directory).model_copy(
        update={
            "synthesis": synthesis,
            "policies": (PolicySettings.model_validate(policy),),
        }
    )
    daemon = await build(settings)
    async with running(daemon), AsyncExitStack() as stack:
        yield RouterSetting(pki, daemon.address, stack)


async def stuck(_: inference_pb2.Generation, __: grpc.aio.ServicerContext) -> Events:
    """Answer one token, and then nothing."""
    yield started()
    yield chunk()
    await asyncio.Event().wait()
