"""What a call is refused for, as a value that a test can compare."""

from collections.abc import Callable

from federated_router.kit.errors import FederationError


def refusal_of(call: Callable[[], object]) -> type[FederationError] | None:
    """Return the class of this federation's error that a call ends in; None if none.

    Any other error fails the test.
    """
    try:
        call()
    except FederationError as error:
        return type(error)
    return None
