"""What makes two public requests the same question, and which answers repeat.

Decides from the message itself: everything in it counts, but for what is named here as
without influence on the answer. A field that the contract gains later counts from then
on, so that it can cause a miss and never a wrong hit.
"""

from typing import Final

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.sensitivity.levels import Sensitivity

_AUTO: Final = "models/auto"
_FRAME: Final = b"federated-router question 1\0"
_BESIDE_THE_QUESTION: Final = ("request_id", "priority", "fresh", "sensitivity")
_ONLY_ONE: Final = ("answers", "beams")
_OF_DRAWING: Final = ("temperature", "top_k", "top_p", "seed")
_MET_BY_A_STORED_ANSWER: Final = (
    "models",
    "cost_max",
    "co2e_mg_max",
    "latency_ms_max",
    "steady",
)


def is_servable(generation: pb.Generation) -> bool:
    """Whether a stored answer could serve at all: whole, and from nothing private."""
    return not (
        generation.HasField("private_context") or generation.HasField("continuation")
    )


def is_repeatable(sampling: pb.Sampling) -> bool:
    """Whether the answer would be the same again: greedy, or drawn by a seed.

    A request that leaves the temperature to the node is not known to be greedy.
    """
    return is_greedy(sampling) or sampling.HasField("seed")


def is_greedy(sampling: pb.Sampling) -> bool:
    """Whether each token is the likeliest one, whatever else is asked."""
    return (sampling.HasField("temperature") and sampling.temperature == 0) or (
        sampling.HasField("top_k") and sampling.top_k == 1
    )


def canonical(generation: pb.Generation, sensitivity: Sensitivity) -> bytes:
    """Return bytes that are equal for requests that ask the same.

    `sensitivity` is what the router took the request to be: an answer that was made
    for a public one did not have to come from a trusted node.
    """
    question = pb.Generation()
    question.CopyFrom(generation)
    for field in _BESIDE_THE_QUESTION:
        question.ClearField(field)
    _reduce_sampling(question.sampling)
    _reduce_wishes(question)
    for part in ("sampling", "wishes"):
        if not getattr(question, part).ByteSize():
            question.ClearField(part)
    content = question.SerializeToString(deterministic=True)
    return _FRAME + bytes((sensitivity,)) + content


def _reduce_sampling(sampling: pb.Sampling) -> None:
    for field in _ONLY_ONE:
        sampling.ClearField(field)
    if is_greedy(sampling):
        for field in _OF_DRAWING:
            sampling.ClearField(field)
        sampling.temperature = 0.0
    stops = sorted(set(sampling.stop))
    del sampling.stop[:]
    sampling.stop.extend(stops)


def _reduce_wishes(question: pb.Generation) -> None:
    """Leave of the wishes what the answer depends on.

    With `models/auto` each of them decides who answers. Where the caller names the
    model, a stored answer costs and emits nothing and comes at once.
    """
    wishes = question.wishes
    if question.model != _AUTO:
        for field in _MET_BY_A_STORED_ANSWER:
            wishes.ClearField(field)
    for names in (wishes.models, wishes.regions):
        ordered = sorted(set(names))
        del names[:]
        names.extend(ordered)
