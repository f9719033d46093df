"""What shards and pipelines count. Labels are model names of the configuration."""

from prometheus_client import Counter, Gauge

FRAMES = Counter(
    "shard_frames", "Frames of activations that a shard answered.", ["model", "outcome"]
)
SEQUENCES = Gauge("shard_sequences_open", "Sequences that a shard holds.", ["model"])
PIPELINE_FRAMES = Counter(
    "pipeline_frames", "Frames of activations that a leader sent.", ["model"]
)
REPLAYED = Counter(
    "pipeline_replayed_positions",
    "Positions that were sent once more, to a shard that took another's place.",
    ["model"],
)
REPLACEMENTS = Counter(
    "pipeline_replacements", "Shards replaced in the middle of an answer.", ["model"]
)
HISTORY_BYTES = Gauge(
    "pipeline_history_bytes",
    "Activations kept at a leader, to be sent once more where a shard is lost.",
    ["model"],
)
