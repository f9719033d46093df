"""Hidden states on the wire, and what a leader keeps of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import shards_pb2 as pb
from federated_router.kit.errors import FieldInvalid
from node.shards.codec import (
    DATA_TYPES,
    FRAME_BYTES_MAX,
    check_type,
    decode,
    encode,
    positions_max,
)
from node.shards.history import History

WIDTH = 6


@given(
    st.sampled_from(list(DATA_TYPES)), st.integers(1, 9), st.integers(0, 99), st.data()
)
def test_states_come_back_bit_for_bit(
    data_type: torch.dtype, positions: int, first: int, data: st.DataObject
) -> None:
    """Nothing is rounded on the way, whatever the type."""
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    hidden = torch.randn((positions, WIDTH), generator=generator).to(data_type)

    message = pb.Activations.FromString(encode(hidden, first=first).SerializeToString())

    assert message.first_position == first
    found = decode(message, width=WIDTH, data_type=data_type)
    assert found.dtype == data_type
    assert torch.equal(found, hidden)


def test_part_of_a_larger_tensor_is_sent_alone() -> None:
    """A view's bytes are those of its elements, not of what lies between them."""
    whole = torch.arange(40.0).view(5, 8)

    message = encode(whole[1:3, :WIDTH], first=0)

    assert torch.equal(
        decode(message, width=WIDTH, data_type=torch.float32), whole[1:3, :WIDTH]
    )


def test_elements_are_little_endian() -> None:
    """As the contract says, for whoever writes another leader."""
    assert encode(torch.tensor([[1.0]]), first=0).data == b"\x00\x00\x80\x3f"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data_type": pb.DATA_TYPE_BFLOAT16}, "activations.data_type"),
        ({"data_type": pb.DATA_TYPE_UNSPECIFIED}, "activations.data_type"),
        ({"data_type": 99}, "activations.data_type"),
        ({"first_position": -1}, "activations.first_position"),
        ({"positions": 0}, "activations.positions"),
        ({"positions": -2}, "activations.positions"),
        ({"positions": 3}, "activations.data"),
        ({"positions": 2**31 - 1}, "activations.data"),
        ({"data": b""}, "activations.data"),
        ({"data": bytes(2 * WIDTH * 4 + 1)}, "activations.data"),
    ],
)
def test_message_that_is_not_what_it_claims_is_refused(
    changes: dict[str, object], field: str
) -> None:
    """Before torch sees a byte of it."""
    message = encode(torch.zeros((2, WIDTH)), first=0)
    for name, value in changes.items():
        setattr(message, name, value)

    with pytest.raises(FieldInvalid) as refused:
        decode(message, width=WIDTH, data_type=torch.float32)
    assert refused.value.metadata["field"] == field


def test_type_that_the_contract_lacks_is_refused_at_the_start() -> None:
    """Not with the first frame of the first answer."""
    with pytest.raises(ValueError, match="float64"):
        check_type(torch.float64)


@pytest.mark.parametrize("width", [1, 4096, 16384])
def test_largest_frame_fits_a_message(width: int) -> None:
    """A message of more than 4 MiB would be refused by the other side's gRPC."""
    positions = positions_max(width, torch.bfloat16)
    frame = pb.ForwardRequest(
        sequence=2**64 - 1,
        activations=pb.Activations(
            first_position=2**31 - 1,
            positions=2**31 - 1,
            data_type=pb.DATA_TYPE_BFLOAT16,
            data=bytes(positions * width * 2),
        ),
    )

    assert frame.ByteSize() <= 4 * 1024 * 1024
    assert (positions + 1) * width * 2 > FRAME_BYTES_MAX


@given(st.lists(st.integers(1, 9), max_size=12))
def test_history_returns_what_was_appended(sizes: list[int]) -> None:
    """However it grew on the way."""
    whole = torch.arange(sum(sizes) * WIDTH, dtype=torch.float32).view(-1, WIDTH)
    history = History(width=WIDTH, data_type=torch.float32, tokens_max=200)
    at = 0
    for size in sizes:
        history.append(whole[at : at + size])
        at += size

    assert len(history) == len(whole)
    assert torch.equal(history.part(0, 200), whole)
    assert torch.equal(history.part(3, 4), whole[3:7])


def test_history_never_takes_more_than_its_sequence_may_have() -> None:
    """The bound on the leader's memory: tokens x width, for each sequence and shard."""
    history = History(width=WIDTH, data_type=torch.float16, tokens_max=21)
    row = torch.zeros((1, WIDTH), dtype=torch.float16)
    for _ in range(21):
        history.append(row)
        assert history.nbytes <= 21 * WIDTH * 2

    with pytest.raises(ValueError, match="no more positions"):
        history.append(row)
    assert history.nbytes == 21 * WIDTH * 2
