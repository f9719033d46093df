"""Accounts as the router tells them, for tests of what is printed."""

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import budget_pb2 as pb


def stamp(text: str) -> Timestamp:
    """Return an instant from RFC 3339 text."""
    made = Timestamp()
    made.FromJsonString(text)
    return made


def dataset(**fields: object) -> pb.Account:
    """Return a data set's account, a third spent."""
    account = pb.Account(
        name="accounts/dataset-ward",
        kind=pb.Account.KIND_DATASET,
        promise=pb.Account.PROMISE_GUARANTEE,
        epsilon=6,
        delta=1e-6,
        renewal=pb.Account.RENEWAL_NONE,
        time_zone="UTC",
        limit_units=9_000,
        spent_units=3_000,
        held_units=1_000,
        free_units=5_000,
        lifetime_units=3_000,
        spent_epsilon=2.25,
        lifetime_spent_epsilon=2.25,
        accounting=pb.Account.ACCOUNTING_ZCDP,
        window_time=stamp("2026-09-30T22:00:00Z"),
    )
    account.MergeFrom(pb.Account(**fields))  # type: ignore[arg-type]
    return account
