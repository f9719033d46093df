"""What `top` shows: gathered from a router, again and again.

Decides which calls make one view, and that a router which was seen and goes away is
waited for. Refuses to know how a view looks.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc

from federated_router.api.v1 import budget_pb2, budget_pb2_grpc
from federated_router.api.v1 import load_pb2 as pb
from federated_router.api.v1 import load_pb2_grpc as pb_grpc
from federated_router.cli.connection import Federation
from federated_router.cli.session import CALL_TIMEOUT_S
from federated_router.kit.identity import Role

ROWS_MAX: Final = 1000
"""The most accounts, and the most tenants, that one view asks for."""
DATASETS_PREFIX: Final = "accounts/dataset-"
"""Data sets' accounts carry the guarantee; blocks and quotas are too many to watch."""
_AWAY: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
)


@dataclass(frozen=True, slots=True)
class View:
    """One look at a router; `accounts` are those of data sets."""

    router: str
    at: datetime
    load: pb.GetLoadResponse
    advice: tuple[pb.ScalingAdvice, ...]
    footprints: tuple[pb.TenantFootprint, ...]
    accounts: tuple[budget_pb2.Account, ...]
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """A router that does not answer; `since` is when it last did."""

    router: str
    since: datetime


Sleep = Callable[[float], Awaitable[None]]


async def views(
    federation: Federation, *, interval_s: float, sleep: Sleep = asyncio.sleep
) -> AsyncGenerator[View | Silence, None]:
    """Yield a look every `interval_s`, or that the router is silent, without end.

    Raises AioRpcError where the very first call fails, and whenever the router refuses.
    """
    last: datetime | None = None
    while True:
        async with federation.channel(Role.ROUTER) as channel:
            try:
                while True:
                    view = await look(channel, federation.router)
                    last = view.at
                    yield view
                    await sleep(interval_s)
            except grpc.aio.AioRpcError as error:
                if last is None or error.code() not in _AWAY:
                    raise
        yield Silence(federation.router, last)
        await sleep(interval_s)


async def look(channel: grpc.aio.Channel, router: str) -> View:
    """Return one view; the calls run at once."""
    service = pb_grpc.LoadServiceStub(channel)
    load, advice, footprints, accounts = await asyncio.gather(
        service.GetLoad(pb.GetLoadRequest(), timeout=CALL_TIMEOUT_S),
        service.GetScalingAdvice(pb.GetScalingAdviceRequest(), timeout=CALL_TIMEOUT_S),
        service.ListFootprints(
            pb.ListFootprintsRequest(page_size=ROWS_MAX), timeout=CALL_TIMEOUT_S
        ),
        budget_pb2_grpc.BudgetServiceStub(channel).ListAccounts(
            budget_pb2.ListAccountsRequest(
                page_size=ROWS_MAX, name_prefix=DATASETS_PREFIX
            ),
            timeout=CALL_TIMEOUT_S,
        ),
    )
    return View(
        router=router,
        at=datetime.now(tz=UTC),
        load=load,
        advice=tuple(advice.advice),
        footprints=tuple(footprints.footprints),
        accounts=tuple(accounts.accounts),
        has_more=bool(footprints.next_page_token or accounts.next_page_token),
    )
