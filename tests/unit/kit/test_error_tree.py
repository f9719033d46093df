"""The error tree and the contract's reasons are one catalogue."""

import re
from pathlib import Path

import pytest

import federated_router.proxy.connections  # has an error of its own.
from federated_router.api.v1 import errors_pb2
from federated_router.kit import errors
from federated_router.kit.grpc_errors import CODES, code_of

PREFIX = "ERROR_REASON_"
REASONS = {
    name.removeprefix(PREFIX)
    for name in errors_pb2.ErrorReason.keys()  # noqa: SIM118 - an enum, not a mapping.
    if name != "ERROR_REASON_UNSPECIFIED"
}
CLASSES = errors.all_error_classes()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_has_a_reason_of_the_contract(
    cls: type[errors.FederationError],
) -> None:
    """A reason outside the enum could not be handled by anyone who reads it."""
    assert cls.reason in REASONS


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_of_the_contract_has_a_class(reason: str) -> None:
    """A reason that no class states could never be sent."""
    stating = [cls for cls in CLASSES if cls.__dict__.get("reason") == reason]

    assert stating


def test_no_two_leaves_share_a_reason() -> None:
    """The reason must lead back to one class; only a category may share its leaf's."""
    leaves = [
        cls for cls in CLASSES if not cls.__subclasses__() and "reason" in cls.__dict__
    ]

    reasons = [leaf.reason for leaf in leaves]

    assert len(reasons) == len(set(reasons))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_code_is_that_of_the_category(cls: type[errors.FederationError]) -> None:
    """What a caller can do is told by the code; a leaf cannot change it."""
    category = next(base for base in cls.__mro__ if base in CODES)
    error = cls.__new__(cls)

    code = code_of(error)

    assert code == CODES[category]
    assert issubclass(cls, category)


def test_drawing_and_exports_show_every_class() -> None:
    """The tree at the top of the package is what people read and import from."""
    drawing = errors.__doc__ or ""
    drawn = set(re.findall(r"\b[A-Z][A-Za-z]+\b", drawing))

    own = {
        cls.__name__
        for cls in CLASSES
        if cls.__module__.startswith(f"{errors.__name__}.")
    }

    assert len(own) > len(CODES)
    assert own <= drawn
    assert {*own, "all_error_classes"} == set(errors.__all__)


def test_every_class_is_documented() -> None:
    """Docstrings are the catalogue's text."""
    assert all(cls.__doc__ for cls in CLASSES)


def test_no_module_ends_a_call_but_the_interceptor() -> None:
    """Errors become statuses in one place; elsewhere it were a second way."""
    root = Path(federated_router.__file__).parents[1]
    sources = [
        path
        for package in ("federated_router", "node", "coordinator")
        for path in (root / package).rglob("*.py")
        if "context.abort" in path.read_text(encoding="utf-8")
    ]

    assert [path.name for path in sources] == ["interceptors.py"]
