"""Bodies that say little and cost the coordinator much: lengths, floods, streams.

Each is refused before it costs more than one honest message. The
product parses no compressed stream of SEAL's from the network; a stream that would
unfold to a gigabyte is, to it, a body of the wrong length.
"""

import tracemalloc
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from coordinator.rounds import upload
from coordinator.rounds.state import State
from coordinator.summation import accumulator
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import body, ckks, ring, seal_bytes
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.kit import grpc_server
from federated_router.kit.config import ServerSettings
from federated_router.kit.errors import (
    CiphertextMalformed,
    FieldInvalid,
)
from tests.support import round_script
from tests.support.coordinator_world import CoordinatorWorld, header_of
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import made_by, reach

MIB = 1 << 20
Part = pb2.SubmitContributionRequest
ROUND = round_script.round_in(State.COLLECTING)


class Flood:
    """An endless stream of chunks that counts what was taken of it."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk, self.taken = chunk, 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield for ever."""
        while True:
            self.taken += 1
            yield self.chunk


@pytest.mark.parametrize(
    ("size", "taken_max"), [(1, 60_001), (1000, 61), (upload.CHUNK_BYTES_MAX, 1)]
)
async def test_endless_upload_ends_one_chunk_after_its_announced_size(
    size: int, taken_max: int
) -> None:
    """Whatever the chunks' size, no more is taken than the header's 60,000 bytes."""
    flood = Flood(bytes(size))

    with pytest.raises(FieldInvalid):
        await upload.receive(flood.chunks(), size_bytes=60_000, sha256=bytes(32))

    assert flood.taken <= taken_max


@pytest.mark.parametrize("chunk", [b"", bytes(upload.CHUNK_BYTES_MAX + 1)])
async def test_chunks_that_are_empty_or_too_large_end_an_upload_at_once(
    chunk: bytes,
) -> None:
    """Empty ones would keep a place for ever without ever reaching the size."""
    flood = Flood(chunk)

    with pytest.raises(FieldInvalid):
        await upload.receive(flood.chunks(), size_bytes=60_000, sha256=bytes(32))

    assert flood.taken == 1


SIZES = (-1, 1, 1 << 31, (1 << 63) - 1, -(1 << 63))


async def test_announced_size_that_no_body_has_is_refused_unread(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The signature of the header holds; its size is the lie."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    first = members[0]
    own = await made_by(first, world, round_.name)
    header = header_of(own)
    read: list[int] = []

    async def parts() -> AsyncIterator[Part]:
        yield Part(header=header)
        read.append(1)
        yield Part(chunk=own.body)

    for size in SIZES:
        header.size_bytes = size
        with pytest.raises(FieldInvalid):
            await world.client(first.member.name).send(parts())
    assert not read


def seal_stream() -> bytes:
    """Return a ciphertext as SEAL itself writes it, compressed."""
    polynomial = np.zeros(ring.DEGREE, dtype=np.uint64)
    polynomial[0] = 1
    return seal_bytes.ciphertext_bytes(polynomial, polynomial)


def zstd_bomb(length: int) -> bytes:
    """Return a zstd frame of `length` bytes whose blocks repeat one byte 128 KiB."""
    head = bytes.fromhex("28b52ffd") + b"\x00\x58"
    block = ((128 * 1024) << 3 | 1 << 1).to_bytes(3, "little") + b"\x01"
    return (head + block * length)[:length]


BOMBS = {
    "SEAL's own stream": seal_stream()[:CIPHERTEXT_BYTES],
    "zstd that unfolds to a gigabyte": zstd_bomb(CIPHERTEXT_BYTES),
    "zstd behind SEAL's header": seal_stream()[:16] + zstd_bomb(CIPHERTEXT_BYTES - 16),
    "shorter than a ciphertext": zstd_bomb(CIPHERTEXT_BYTES - 1),
    "empty": b"",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_streams_of_seal_are_residues_and_nothing_unfolds(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory grows by a few bodies and not by a gigabyte; SEAL reads none of it.

    What has the right length is taken for numbers, which decrypt to nothing.
    """

    def loaded(*_: object) -> None:
        raise AssertionError("SEAL parsed bytes from the network.")

    monkeypatch.setattr(seal_bytes, "_load", loaded)
    tracemalloc.start()
    try:
        refused = not taken(BOMBS[kind])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused or len(BOMBS[kind]) == CIPHERTEXT_BYTES
    assert peak < 8 * MIB


def taken(content: bytes) -> bool:
    """Return whether the coordinator takes a body for a ciphertext."""
    try:
        accumulator.refuse_malformed(ROUND, content)
    except CiphertextMalformed:
        return False
    return True


def test_long_body_costs_no_more_than_its_ciphertext() -> None:
    """A hundred megabytes behind a ciphertext are not looked at."""
    content = body.to_bytes(np.full((1, ring.DEGREE), 1, dtype=np.uint64))
    content += bytes(100 * MIB)
    tracemalloc.start()
    try:
        accumulator.refuse_malformed(ROUND, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB


async def test_compressed_message_does_not_unfold_beyond_the_limit() -> None:
    """Gzip makes 32 KiB of 32 MiB of zeros; the limit is on what comes out of it."""
    reached: list[int] = []

    async def handler(request: bytes, _: object) -> bytes:
        reached.append(len(request))
        return b""

    settings = ServerSettings(message_bytes_max=4 * MIB)
    server = grpc.aio.server(options=grpc_server._options(settings))
    method = grpc.unary_unary_rpc_method_handler(handler)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bomb.Bomb", {"Take": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}",
            options=[("grpc.max_send_message_length", -1)],
            compression=grpc.Compression.Gzip,
        ) as channel:
            take = channel.unary_unary("/bomb.Bomb/Take")
            await take(bytes(2 * MIB))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await take(bytes(32 * MIB))
    finally:
        await server.stop(0)

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reached == [2 * MIB]


async def test_sum_of_many_ciphertexts_keeps_one_body_in_memory() -> None:
    """The coordinator's memory does not grow with the members."""
    polynomials = np.full((1, ring.DEGREE), 1, dtype=np.uint64)
    content = body.to_bytes(polynomials)

    def measured(count: int) -> int:
        tracemalloc.start()
        try:
            ckks.sum_bodies((content for _ in range(count)), polynomials=polynomials)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    measured(1)
    assert measured(40) < measured(4) + MIB
