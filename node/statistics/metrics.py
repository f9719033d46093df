"""Prometheus figures of requests at a node.

Decides names, labels and buckets. Labels are the configuration's models and tiers, the
node's region, and names of this code, so that their number is bounded. Names are those
of the field (vLLM, OpenTelemetry's generative AI metrics), and so are the buckets.
Nothing of a request's text, user or records is a label or a value.
"""

from typing import Final

from prometheus_client import Counter, Histogram

from node.statistics.endings import EndedRequest

_CELL: Final = ("model", "region", "tier")

TIME_TO_FIRST_TOKEN = Histogram(
    "node_time_to_first_token_seconds",
    "From acceptance to the first token.",
    _CELL,
    buckets=(
        *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
        *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0),
    ),
)
TIME_PER_OUTPUT_TOKEN = Histogram(
    "node_time_per_output_token_seconds",
    "Per token after the first, of whole answers.",
    _CELL,
    buckets=(
        *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
        *(0.4, 0.5, 0.75, 1.0, 2.5),
    ),
)
DURATION = Histogram(
    "node_request_duration_seconds",
    "From acceptance to the end, of whole answers.",
    _CELL,
    buckets=(
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24),
        *(20.48, 40.96, 81.92, 163.84, 327.68, 655.36),
    ),
)
REQUESTS = Counter("node_requests", "Requests that ended, by how.", (*_CELL, "ending"))
PROMPT_TOKENS = Counter(
    "node_request_prompt_tokens", "Tokens of (public) prompts.", _CELL
)
PROMPT_TOKENS_CACHED = Counter(
    "node_request_prompt_tokens_cached", "Of these, held from earlier requests.", _CELL
)
OUTPUT_TOKENS = Counter("node_request_output_tokens", "Tokens generated.", _CELL)
COST = Counter("node_request_cost", "Price of the output tokens.", _CELL)
ENERGY = Counter(
    "node_request_energy_joules",
    "Energy of requests: measured_rapl, measured_nvml or modelled.",
    (*_CELL, "source"),
)
CO2E = Counter(
    "node_request_co2e_grams", "Grams of CO2 equivalent of that energy.", _CELL
)


def observe(ended: EndedRequest) -> None:
    """Count one request that ended."""
    cell = (ended.cell.model, ended.cell.region, ended.cell.tier)
    REQUESTS.labels(*cell, ended.ending.value).inc()
    PROMPT_TOKENS.labels(*cell).inc(ended.counts.prompt)
    PROMPT_TOKENS_CACHED.labels(*cell).inc(ended.counts.cached)
    OUTPUT_TOKENS.labels(*cell).inc(ended.counts.output)
    COST.labels(*cell).inc(ended.cost)
    for source, joules in ended.energy_j.items():
        ENERGY.labels(*cell, source.value).inc(joules)
    if ended.co2e_g is not None:
        CO2E.labels(*cell).inc(ended.co2e_g)
    _observe_times(ended, cell)


def _observe_times(ended: EndedRequest, cell: tuple[str, str, str]) -> None:
    if ended.time_to_first_token_s is not None:
        TIME_TO_FIRST_TOKEN.labels(*cell).observe(ended.time_to_first_token_s)
    if not ended.answered:
        return
    DURATION.labels(*cell).observe(ended.duration_s)
    if ended.time_per_output_token_s is not None:
        TIME_PER_OUTPUT_TOKEN.labels(*cell).observe(ended.time_per_output_token_s)
