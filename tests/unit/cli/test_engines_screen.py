"""The tables of `node engines`: one line an engine, one line a part."""

import pytest

from federated_router.api.v1 import engine_pb2 as pb
from federated_router.api.v1 import inference_pb2
from federated_router.cli.engines import engine_row, part_rows, size_text

ENGINE = pb.Engine(
    model="models/m",
    kind=pb.ENGINE_KIND_TRANSFORMERS,
    architecture="LlamaForCausalLM",
    data_type="bfloat16",
    quantisation="int8_weights",
    context_tokens_max=512,
    parts=[
        pb.ModelPart(modules="model.layers.0-3", device="cuda:0", weight_bytes=3 << 20),
        pb.ModelPart(modules="lm_head", device="cpu"),
    ],
    cache_bytes=1536,
    slots=8,
    requests_running=2,
    requests_waiting=1,
    private_support=inference_pb2.PRIVATE_SUPPORT_OFFERED,
)


def test_engine_is_one_line() -> None:
    """Everything that an operator compares between nodes."""
    assert engine_row("node-1", ENGINE) == (
        *("node-1", "m", "transformers", "LlamaForCausalLM", "bfloat16 int8_weights"),
        *(512, 8, 2, 1, "1.5 KiB", "-", "offered"),
    )


def test_what_an_engine_does_not_know_is_a_dash() -> None:
    """Another server tells neither architecture nor memory."""
    row = engine_row("n", pb.Engine(model="models/x", kind=pb.ENGINE_KIND_OPENAI))

    assert row == ("n", "x", "openai", "-", "-", 0, 0, 0, 0, "-", "-", "refused")


def test_each_part_is_one_line() -> None:
    """A weight that is shared with another part takes nothing of its own."""
    assert part_rows("node-1", ENGINE) == [
        ("node-1", "m", "model.layers.0-3", "cuda:0", "3.0 MiB"),
        ("node-1", "m", "lm_head", "cpu", "-"),
    ]


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "-"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (16 << 30, "16.0 GiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_sizes_are_for_people(size_bytes: int, text: str) -> None:
    """Programs read the bytes from `--json`."""
    assert size_text(size_bytes) == text
