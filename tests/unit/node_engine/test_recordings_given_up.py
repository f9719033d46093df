"""A recording is never needed: where it fails, or is not wanted, the model runs."""

from pathlib import Path

import pytest
import torch

from node.engine.batcher import Batcher
from node.engine.kv_slots import Placement
from node.engine.ready_model import ready_model
from node.engine.recorded_pass import RecordedPass
from node.engine.slot_pass import ModelPass
from node.engines import _transformers_settings
from node.model_settings import ModelSettings
from tests.support.recorded_model import first_pass, random_model
from tests.support.tiny_model import tiny_config


def test_recording_that_fails_gives_way_to_the_models_own_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody's answer ends because a recording broke, and it is not tried again."""
    model = random_model(tiny_config())
    with torch.inference_mode():
        cache = first_pass(model)
        recording = RecordedPass(ModelPass(model, cache), cache)
    tried: list[None] = []

    class Broken:
        def forward(self, *_: torch.Tensor) -> torch.Tensor:
            tried.append(None)
            raise RuntimeError("no such recording")

    kinds = list(recording._recordings)
    monkeypatch.setattr(recording, "_recordings", dict.fromkeys(kinds, Broken()))
    ids = torch.tensor([[7], [8]])
    positions = torch.zeros_like(ids)
    placement = Placement(torch.arange(2), positions, 1, 0)

    with torch.inference_mode():
        wanted = ModelPass(model, cache).logits(ids, positions, placement)
        found = [recording.logits(ids, positions, placement) for _ in range(2)]

    assert all(torch.equal(one, wanted) for one in found)
    assert len(tried) == 1
    assert caplog.text.count("a recorded pass failed") == 1


@pytest.mark.parametrize("records", [True, False])
def test_operator_decides_whether_passes_are_recorded(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch, *, records: bool
) -> None:
    """The setting of a model reaches its batch."""
    recorded: list[Batcher] = []

    def note(batcher: Batcher) -> bool:
        recorded.append(batcher)
        return True

    monkeypatch.setattr(Batcher, "record", note)
    model = ModelSettings(
        name="m", path=tiny_directory, slots=1, records_passes=records
    )

    ready_model(_transformers_settings(model, ()))

    assert bool(recorded) is records
