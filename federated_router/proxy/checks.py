"""What a request must be before anything is reserved or sent.

Only what the contract's REQUIRED marks cannot say. Nothing here reads a record's
content beyond whether it is text: no refusal may depend on what a record says.
"""

from collections.abc import Sequence

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import (
    FieldInvalid,
    PromptTooLong,
    RecordNotText,
    RecordsTooMany,
)
from federated_router.kit.names import check_id, is_id, resource_id
from federated_router.kit.sampling_checks import (
    check_priority,
    check_private_sampling,
    check_sampling,
)
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.requests import utf8_bytes

_ROLES = (pb.ROLE_SYSTEM, pb.ROLE_USER, pb.ROLE_ASSISTANT)
_LEVELS = frozenset(pb.Sensitivity.values())


def check_generation(generation: pb.Generation, settings: ProxySettings) -> None:
    """Raise the error that names the first field outside its bounds."""
    check_id(generation.request_id, field="generation.request_id")
    resource_id(generation.model, "models", field="generation.model")
    _check_messages(generation, settings)
    check_priority(generation)
    _check(
        generation.sensitivity in _LEVELS,
        "Use one of the levels of the contract.",
        "generation.sensitivity",
    )
    _check(
        not generation.HasField("continuation"),
        "The router sets it.",
        "generation.continuation",
    )
    if generation.HasField("wishes"):
        _check_wished_names(generation.wishes, settings)
    if generation.HasField("private_context"):
        check_private_sampling(generation.sampling)
    _check_sampling(generation.sampling, settings)
    if generation.HasField("private_context"):
        _check_private(generation, settings)


def _check_messages(generation: pb.Generation, settings: ProxySettings) -> None:
    if len(generation.messages) > settings.messages_max:
        raise FieldInvalid(
            f"Send at most {settings.messages_max} messages.",
            field="generation.messages",
        )
    size = 0
    for index, message in enumerate(generation.messages):
        size += utf8_bytes(message.content)
        if message.role not in _ROLES:
            raise FieldInvalid(
                "Use one of the roles of the contract.",
                field=f"generation.messages[{index}].role",
            )
    if size > settings.prompt_bytes_max:
        raise PromptTooLong(
            f"The messages hold {size} bytes; at most {settings.prompt_bytes_max}.",
            field="generation.messages",
            metadata={"prompt_bytes_max": str(settings.prompt_bytes_max)},
        )


def _check_wished_names(wishes: pb.RouteWishes, settings: ProxySettings) -> None:
    """Raise for too many names; routing reads the wishes themselves."""
    for field in ("models", "regions"):
        _check(
            len(getattr(wishes, field)) <= settings.wishes_names_max,
            f"Name at most {settings.wishes_names_max}.",
            f"generation.wishes.{field}",
        )
    for index, region in enumerate(wishes.regions):
        check_id(region, field=f"generation.wishes.regions[{index}]")


def _check_sampling(sampling: pb.Sampling, settings: ProxySettings) -> None:
    """Raise for a field out of this router's limits or the contract's."""
    if sampling.HasField("tokens_max") and not (
        1 <= sampling.tokens_max <= settings.tokens_max
    ):
        raise _sampling_invalid(
            "tokens_max", f"Ask for 1 to {settings.tokens_max} tokens."
        )
    check_sampling(sampling)
    if sampling.stop:
        _check_stop(sampling.stop, settings)


def _check_stop(stop: Sequence[str], settings: ProxySettings) -> None:
    if len(stop) > settings.stop_strings_max or not all(
        0 < len(one.encode()) <= settings.stop_string_bytes_max for one in stop
    ):
        raise _sampling_invalid(
            "stop",
            f"Send at most {settings.stop_strings_max} stop strings of 1 to "
            f"{settings.stop_string_bytes_max} bytes.",
        )


def _sampling_invalid(field: str, message: str) -> FieldInvalid:
    return FieldInvalid(message, field=f"generation.sampling.{field}")


def _check_private(generation: pb.Generation, settings: ProxySettings) -> None:
    context = generation.private_context
    path = "generation.private_context"
    _check(not context.HasField("grant"), "The router sets it.", f"{path}.grant")
    resource_id(context.dataset, "datasets", field=f"{path}.dataset")
    resource_id(context.policy, "policies", field=f"{path}.policy")
    _check(
        context.selection in (pb.SELECTION_BY_ID, pb.SELECTION_RETRIEVED),
        "Say how the records were chosen.",
        f"{path}.selection",
    )
    for index, record in enumerate(context.records):
        _check_record(record, f"{path}.records[{index}]", settings)
    ids = {record.id for record in context.records}
    _check(
        len(ids) == len(context.records),
        "Each record once: twice would double its influence.",
        f"{path}.records",
    )


def _check_record(record: pb.Record, path: str, settings: ProxySettings) -> None:
    _check(is_id(record.id), "Not a safe id.", f"{path}.id")
    _check(
        len(record.text) <= settings.record_bytes_max,
        f"A record holds at most {settings.record_bytes_max} bytes.",
        f"{path}.text",
    )
    try:
        record.text.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordNotText(
            "The record is not valid UTF-8.", field=f"{path}.text"
        ) from None


def check_slots(context: pb.PrivateContext, slots: int) -> None:
    """Raise RecordsTooMany for more records than the policy has slots."""
    if len(context.records) > slots:
        raise RecordsTooMany(
            f"The policy has {slots} slots; {len(context.records)} records came.",
            field="generation.private_context.records",
            metadata={"slots": str(slots)},
        )


def _check(condition: object, message: str, field: str) -> None:
    if not condition:
        raise FieldInvalid(message, field=field)
