"""Hidden states as bytes of the contract, and back.

Decides that what comes in has the shape, type and size that it claims, before torch
sees it. Refuses to know sequences. Elements travel little endian in the model's own
type, so that nothing is rounded on the way.
"""

import sys

import torch

from federated_router.api.v1 import shards_pb2 as pb
from federated_router.kit.errors import FieldInvalid

DATA_TYPES: dict[torch.dtype, pb.DataType] = {
    torch.float32: pb.DATA_TYPE_FLOAT32,
    torch.float16: pb.DATA_TYPE_FLOAT16,
    torch.bfloat16: pb.DATA_TYPE_BFLOAT16,
}
FRAME_BYTES_MAX = 4 * 1024 * 1024 - 4096
"""What fits a message beside a frame's other fields."""


def encode(hidden: torch.Tensor, *, first: int) -> pb.Activations:
    """Return hidden states (n, width) on the host, from position `first`, as bytes."""
    raw = hidden.contiguous().view(torch.uint8).numpy().tobytes()
    return pb.Activations(
        first_position=first,
        positions=len(hidden),
        data_type=DATA_TYPES[hidden.dtype],
        data=raw,
    )


def decode(
    activations: pb.Activations, *, width: int, data_type: torch.dtype
) -> torch.Tensor:
    """Return the hidden states (n, width) that the message holds.

    Raises:
        FieldInvalid: type or size are not what is run here.
    """
    if activations.data_type != DATA_TYPES[data_type]:
        raise FieldInvalid(
            f"Send elements of type {data_type}.", field="activations.data_type"
        )
    if activations.first_position < 0:
        raise FieldInvalid("Use 0 or more.", field="activations.first_position")
    if activations.positions < 1:
        raise FieldInvalid("Send at least one.", field="activations.positions")
    size = activations.positions * width * data_type.itemsize
    if len(activations.data) != size:
        raise FieldInvalid(
            f"{activations.positions} positions are {size} bytes here.",
            field="activations.data",
        )
    raw = torch.frombuffer(bytearray(activations.data), dtype=data_type)
    return raw.view(activations.positions, width)


def check_type(data_type: torch.dtype) -> None:
    """Refuse a type or a machine whose bytes the contract does not describe.

    Raises:
        ValueError: it is none of the contract's.
    """
    if data_type not in DATA_TYPES:
        raise ValueError(f"activations of type {data_type} cannot be sent to shards")
    if sys.byteorder != "little":
        raise ValueError("shards need a little-endian machine")


def positions_max(width: int, data_type: torch.dtype) -> int:
    """Return how many positions fit one message.

    Raises:
        ValueError: not even one.
    """
    fitting = FRAME_BYTES_MAX // (width * data_type.itemsize)
    if fitting < 1:
        raise ValueError("one position of this model does not fit a message")
    return fitting
