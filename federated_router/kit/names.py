"""Resource names (AIP-122): `collection/id`, ids from one safe alphabet."""

import re

from federated_router.kit.errors import FieldInvalid

ID_LENGTH_MAX = 63
_ID = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


def is_id(text: str) -> bool:
    """Return whether `text` may stand as one segment of a resource name."""
    return _ID.fullmatch(text) is not None


def check_id(text: str, *, field: str) -> None:
    """Raise FieldInvalid unless `text` may stand as one segment of a resource name."""
    if not is_id(text):
        raise FieldInvalid(
            "Use 1 to 63 characters of a-z, 0-9, '.', '_' and '-'.", field=field
        )


def resource_name(collection: str, resource_id: str) -> str:
    """Return `collection/resource_id`; raise FieldInvalid for an unsafe id."""
    if not is_id(resource_id):
        raise FieldInvalid(
            f"Ids hold 1 to {ID_LENGTH_MAX} characters of a-z, 0-9, '.', '_' and '-', "
            "and begin and end with a letter or digit.",
            field=collection,
        )
    return f"{collection}/{resource_id}"


def resource_id(name: str, collection: str, *, field: str = "name") -> str:
    """Return the id in `collection/id`; raise FieldInvalid for any other shape."""
    prefix, _, rest = name.partition("/")
    if prefix != collection or not is_id(rest):
        raise FieldInvalid(
            f"Expected a name of the form '{collection}/ID'.", field=field
        )
    return rest
