"""What of an answer is kept, and what it says when it is served again. Pure."""

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.sensitivity.levels import Sensitivity


def is_keepable(response: pb.CompleteResponse) -> bool:
    """Whether an answer is whole, was made now, and is nobody's private one."""
    return (
        response.finished.reason != pb.FINISH_REASON_UNSPECIFIED
        and response.started.source == pb.ANSWER_SOURCE_UNSPECIFIED
        and not response.started.reservation
        and not response.finished.HasField("charge")
    )


def kept(response: pb.CompleteResponse) -> bytes:
    """Return an answer without what it took to make, which is not due again."""
    answer = pb.CompleteResponse()
    answer.CopyFrom(response)
    for field in ("footprint", "resumptions", "prompt_tokens_cached"):
        answer.finished.ClearField(field)
    return answer.SerializeToString()


def served_again(content: bytes, sensitivity: Sensitivity) -> pb.CompleteResponse:
    """Return a kept answer, marked as one; it takes no energy and costs nothing."""
    answer = pb.CompleteResponse.FromString(content)
    answer.started.MergeFrom(
        pb.Started(
            source=pb.ANSWER_SOURCE_CACHE,
            sensitivity=pb.Sensitivity.Name(sensitivity.value),
        )
    )
    answer.finished.footprint.CopyFrom(pb.Footprint(co2e_mg=0.0))
    return answer
