"""REQUIRED means required: enforced from the descriptors, at any depth.

A field marked `(google.api.field_behavior) = REQUIRED` must be present (messages,
optional scalars), non-empty (repeated) or different from its default (the rest).
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from federated_router.kit.errors import FieldRequired

_Check = Callable[[Message], str | None]
"""Returns the path of the first field missing; paths are only built for that."""


def check_required(message: Message) -> None:
    """Raise FieldRequired, naming the path, for the first REQUIRED field missing."""
    path = _missing(message)
    if path is not None:
        raise FieldRequired(f"Set '{path}'; it is required.", field=path)


def _missing(message: Message) -> str | None:
    for check in _checks(message.DESCRIPTOR):
        path = check(message)
        if path is not None:
            return path
    return None


@cache
def _checks(descriptor: Descriptor) -> tuple[_Check, ...]:
    checks: list[_Check] = []
    for field in descriptor.fields:
        if _is_required(field):
            checks.append(_presence_check(field))
        nested = field.message_type
        if nested is not None and _matters(nested, frozenset()):
            checks.append(_nested_check(field, nested))
    return tuple(checks)


def _is_required(field: FieldDescriptor) -> bool:
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviours


def _matters(descriptor: Descriptor, seen: frozenset[str]) -> bool:
    """Return whether anything below this message is REQUIRED."""
    if descriptor.full_name in seen:
        return False
    below = seen | {descriptor.full_name}
    return any(
        _is_required(field)
        or (field.message_type is not None and _matters(field.message_type, below))
        for field in descriptor.fields
    )


def _presence_check(field: FieldDescriptor) -> _Check:
    name = field.name
    if not field.is_repeated and field.has_presence:
        return lambda message: None if message.HasField(name) else name
    value = attrgetter(name)
    return lambda message: None if value(message) else name


def _nested_check(field: FieldDescriptor, nested: Descriptor) -> _Check:
    name = field.name
    value = attrgetter(name)
    if field.is_repeated:
        is_map = nested.GetOptions().map_entry

        def each(message: Message) -> str | None:
            items = value(message)
            for key, item in items.items() if is_map else enumerate(items):
                path = _missing(item)
                if path is not None:
                    return f"{name}[{key}].{path}"
            return None

        return each

    def inner(message: Message) -> str | None:
        path = _missing(value(message)) if message.HasField(name) else None
        return None if path is None else f"{name}.{path}"

    return inner
