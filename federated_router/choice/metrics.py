"""What an operator sees of the choice of models."""

from prometheus_client import Counter, Gauge

CHOICES = Counter(
    "federated_router_model_choices",
    "Requests by the model chosen for them, and whether it was to learn of it.",
    ["model", "explored"],
)
OUTCOMES = Counter(
    "federated_router_outcomes",
    "Outcomes counted for a model, by whose view it was.",
    ["model", "view"],
)
OUTCOMES_WAITING = Gauge(
    "federated_router_outcomes_waiting",
    "Answered requests whose outcome may still be reported.",
)
EMBEDDINGS = Counter(
    "federated_router_embeddings",
    "Prompts by what became of their embedding: made, remembered from before, late for "
    "its decision, failed, or not made because too many waited.",
    ["outcome"],
)
