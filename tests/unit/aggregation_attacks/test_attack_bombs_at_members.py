"""What a coordinator sends to exhaust its members: endless shares, layouts, rosters.

Each is refused before it costs more than one honest message.
"""

from dataclasses import replace
from typing import Any, cast

import grpc
import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import priors_pb2
from federated_router.federation import holder, roster_cache
from federated_router.federation.grpc_rounds import GrpcRounds
from federated_router.federation.priors_wire import catalogue_from_message
from federated_router.kit.errors import (
    CiphertextMalformed,
    FederationError,
    FieldInvalid,
)
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import collected, record_of


class Downloads:
    """A coordinator's answer to DownloadShares, as the attacker writes it."""

    def __init__(self, header_size: int, chunk: bytes) -> None:
        self.header_size, self.chunk, self.sent = header_size, chunk, 0

    def DownloadShares(self, *_: object, **__: object) -> "Downloads":  # noqa: N802
        """Answer with itself, as a call."""
        return self

    async def read(self) -> pb2.DownloadSharesResponse:
        """Send the header, then chunks for ever."""
        self.sent += 1
        if self.sent == 1:
            header = pb2.SharesHeader(size_bytes=self.header_size)
            return pb2.DownloadSharesResponse(header=header)
        return pb2.DownloadSharesResponse(chunk=self.chunk)

    def cancel(self) -> None:
        """End the call."""


@pytest.mark.parametrize(
    ("header_size", "sent_max"), [(1 << 62, 1), (-1, 1), (1001, 1), (1000, 12)]
)
async def test_endless_download_of_shares_ends_at_its_announced_size(
    header_size: int, sent_max: int
) -> None:
    """A member takes what its roster can have sealed to it, and not a byte more."""
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    client = GrpcRounds(channel, call_timeout_s=5, silence_s_max=5)
    attack = Downloads(header_size, bytes(100))
    client._stub = cast("Any", attack)

    with pytest.raises(CiphertextMalformed):
        await client.download_shares("rounds/r1", size_bytes_max=1000)
    await channel.close()

    assert attack.sent <= sent_max


@pytest.mark.parametrize("factor", [0, 2, 100])
async def test_another_number_of_sealed_shares_is_refused_before_any_is_opened(
    factor: int, hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """Unsealing costs a curve multiplication each; lengths are compared first."""
    await collected(hostile, victims)
    hostile.end_collecting()
    shares = hostile.shares_for(victims[0].member.name)
    record = await record_of(victims[0], hostile.round.name)

    with pytest.raises(CiphertextMalformed, match="sealed shares of this round have"):
        holder.unseal(
            replace(shares, body=shares.body * factor),
            own=victims[0].member.name,
            keys=record.held.keys,
            roster=hostile.roster,
        )


def test_layout_of_too_many_cells_is_refused() -> None:
    """4,096 models in 4,096 regions would be a vector of half a billion places."""
    names = [f"models/{index}" for index in range(4096)]
    message = priors_pb2.Catalogue(
        version=1,
        models=names,
        regions=[name.replace("models/", "r") for name in names],
        latency_bounds_ms=[1.0],
        slot_max=1,
    )

    with pytest.raises(FieldInvalid):
        catalogue_from_message(message)


async def test_roster_that_repeats_one_member_is_refused_before_its_certificates(
    hostile: MemoryCoordinator,
    victims: list[RunningMember],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten thousand entries cost ten thousand verifications only if they are members."""
    verified: list[int] = []
    monkeypatch.setattr(
        roster_cache, "verify_binding", lambda *_, **__: verified.append(1)
    )
    for round_ in (hostile.round, hostile.end_joining()):
        for running in victims:
            await running.member.act(round_)
    honest = hostile.end_revealing()
    bomb = replace(honest, roster=honest.roster + honest.roster[-1:] * 10_000)

    with pytest.raises(FederationError):
        await victims[0].member.act(bomb)
    assert not verified
