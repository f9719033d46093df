"""REQUIRED means required: enforced from the descriptors, at any depth.

A field marked `(google.api.field_behavior) = REQUIRED` must be present (messages,
optional scalars), non-empty (repeated) or different from its default (the rest).
"""

from collections.abc import Callable
from functools import cache

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from federated_router.kit.errors import FieldRequired

_Check = Callable[[Message, str], None]


def check_required(message: Message) -> None:
    """Raise FieldRequired, naming the path, for the first REQUIRED field missing."""
    _check(message, "")


def _check(message: Message, path: str) -> None:
    for check in _checks(message.DESCRIPTOR):
        check(message, path)


@cache
def _checks(descriptor: Descriptor) -> tuple[_Check, ...]:
    checks: list[_Check] = []
    for field in descriptor.fields:
        if _is_required(field):
            checks.append(_presence_check(field))
        if field.message_type is not None and _matters(field.message_type, frozenset()):
            checks.append(_nested_check(field))
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

        def present(message: Message, path: str) -> None:
            if not message.HasField(name):
                raise _missing(f"{path}{name}")

        return present

    def filled(message: Message, path: str) -> None:
        if not getattr(message, name):
            raise _missing(f"{path}{name}")

    return filled


def _nested_check(field: FieldDescriptor) -> _Check:
    name = field.name
    if field.message_type is not None and field.message_type.GetOptions().map_entry:

        def value(message: Message, path: str) -> None:
            for key, item in getattr(message, name).items():
                _check(item, f"{path}{name}[{key}].")

        return value

    if field.is_repeated:

        def each(message: Message, path: str) -> None:
            for index, item in enumerate(getattr(message, name)):
                _check(item, f"{path}{name}[{index}].")

        return each

    def inner(message: Message, path: str) -> None:
        if message.HasField(name):
            _check(getattr(message, name), f"{path}{name}.")

    return inner


def _missing(path: str) -> FieldRequired:
    return FieldRequired(f"Set '{path}'; it is required.", field=path)
