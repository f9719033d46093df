"""A federation of real processes in which one node leads a pipeline of the others."""

import re
from pathlib import Path

from tests.support.processes import Processes

LEADER = "node-1"
RANGES = {"node-2": (0, 1), "node-3": (1, 2), "node-4": (1, 2)}
"""The endless model has two layers; the second runs at two nodes."""

_MODELS = re.compile(r"\[\[models\]\].*?(?=\n\[\[policies)", re.DOTALL)


def prepared_pipeline(directory: Path, model: Path) -> Processes:
    """Write certificates and configurations for a leader and three shards."""
    made = Processes.prepared(directory, model, nodes=1 + len(RANGES))
    path = made.layout.models["endless"]
    _write(
        made,
        LEADER,
        f"""
[[models]]
name = "endless"
path = "{path}"
slots = 8
waiting_max = 64

[models.pipeline]
frame_timeout_s = 3.0
discovery_interval_s = 0.2
""",
    )
    for name, (first, end) in RANGES.items():
        _write(
            made,
            name,
            f"""
[[shards]]
model = "endless"
path = "{path}"
first_layer = {first}
end_layer = {end}
""",
        )
    return made


def _write(made: Processes, name: str, models: str) -> None:
    """Put a node's own tables in place of the model that every node serves."""
    config = made.layout.config(name)
    text, found = _MODELS.subn(models.strip(), config.read_text(), count=1)
    if found != 1:
        raise RuntimeError("a node's configuration has no table of models")
    config.write_text(text)
