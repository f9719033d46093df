"""What a private request costs, and what makes two requests the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.settings import AnswerScope
from federated_router.kit import errors
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.settings import PolicySettings
from federated_router.privacy.step import token_step
from federated_router.proxy.private_charge import REFUNDABLE, refund_cause
from federated_router.proxy.private_grant import parameters_message
from federated_router.proxy.private_price import (
    body_digest,
    cache_key,
    release_of,
    terms_of,
)

POLICY_SETTINGS = {
    "name": "p",
    "slots": 8,
    "clip": "1",
    "temperature": "1",
    "top_k": 10,
    "tokens_max": 8,
    "row_tokens_max": 64,
}
POLICY = PolicySettings.model_validate(POLICY_SETTINGS).policy()


def private(request_id: str = "r-1", *, tokens_max: int | None = None) -> pb.Generation:
    """Return a private request."""
    return pb.Generation(
        request_id=request_id,
        model="models/m",
        messages=[pb.Message(role=pb.ROLE_USER, content="hello")],
        sampling=pb.Sampling(tokens_max=tokens_max),
        private_context=pb.PrivateContext(
            dataset="datasets/d",
            policy="policies/p",
            selection=pb.SELECTION_BY_ID,
            records=[pb.Record(id="a", text=b"x")],
        ),
    )


@pytest.mark.parametrize(("asked", "priced"), [(None, 8), (3, 3), (8, 8), (4000, 8)])
def test_caller_can_lower_the_worst_case_and_not_raise_it(
    asked: int | None, priced: int
) -> None:
    """The policy's length is the most that anyone may sample."""
    terms = terms_of(private(tokens_max=asked), POLICY)

    assert terms.policy.tokens_max == priced
    assert terms.token_units == token_charge_units(POLICY)


def test_release_names_records_only_where_their_ids_are_public() -> None:
    """Which records a search found is told by their content."""
    by_id, retrieved = private(), private()
    retrieved.private_context.selection = pb.SELECTION_RETRIEVED

    releases = [
        release_of(message, terms_of(message, POLICY), user="alice")
        for message in (by_id, retrieved)
    ]

    assert releases[0].dataset == "d"
    assert releases[0].step == token_step(POLICY)
    assert [key.record_id for key in releases[0].records or ()] == ["a"]
    assert releases[1].records is None


def test_digest_is_of_body_and_user_and_not_of_the_id() -> None:
    """The same body under another id is another request; the digest tells the rest."""
    same = body_digest(private("r-1"), user="alice")

    assert body_digest(private("r-2"), user="alice") == same
    assert body_digest(private("r-1"), user="bob") != same


@given(
    text=st.binary(min_size=1, max_size=20).filter(lambda text: text != b"x"),
    tokens_max=st.integers(min_value=1, max_value=100),
)
def test_any_other_body_has_another_digest(text: bytes, tokens_max: int) -> None:
    """A record or a limit changed under one id must be seen."""
    record, limit = private(), private(tokens_max=tokens_max)
    record.private_context.records[0].text = text

    digests = {body_digest(one, user="a") for one in (private(), record, limit)}

    assert len(digests) == 3


def key(
    message: pb.Generation,
    *,
    user: str = "alice",
    scope: AnswerScope = AnswerScope.USER,
    policy: PrivatePolicy = POLICY,
) -> bytes | None:
    """Return the cache key of a message."""
    return cache_key(message, terms_of(message, policy), user=user, scope=scope)


def versioned(selection: pb.Selection = pb.SELECTION_BY_ID) -> pb.Generation:
    """Return a private request about version 7 of its data set."""
    message = private()
    message.private_context.dataset_version = "7"
    message.private_context.selection = selection
    return message


def test_answer_about_an_unknown_version_is_never_cached() -> None:
    """The records may have changed since, and nobody says that they have not."""
    assert key(private()) is None


@given(text=st.binary(max_size=50))
def test_cache_key_never_depends_on_what_a_record_says(text: bytes) -> None:
    """A hit would tell whether a record has changed."""
    other = versioned()
    other.private_context.records[0].text = text

    assert key(other) == key(versioned())


def test_cache_key_says_nothing_of_records_that_a_search_found() -> None:
    """Their ids, and how many they are, follow from their content."""
    found = versioned(pb.SELECTION_RETRIEVED)
    others = versioned(pb.SELECTION_RETRIEVED)
    others.private_context.records.add(id="b", text=b"y")

    assert key(others) == key(found)


def test_cache_key_depends_on_every_public_part() -> None:
    """Another question, data set, version, policy, record list or length is another."""
    changes = [versioned() for _ in range(7)]
    changes[0].messages[0].content = "goodbye"
    changes[1].private_context.dataset = "datasets/e"
    changes[2].private_context.dataset_version = "8"
    changes[3].private_context.records.add(id="b", text=b"x")
    changes[4].sampling.tokens_max = 3
    changes[5].model = "models/other"
    changes[6].sampling.stop.append("end")
    keys = {key(message) for message in (versioned(), *changes)}
    policy = POLICY_SETTINGS | {"clip": "0.5"}
    keys.add(key(versioned(), policy=PolicySettings.model_validate(policy).policy()))

    assert len(keys) == 9


def test_cache_key_is_of_the_user_unless_the_data_set_shares() -> None:
    """A hit by somebody else tells that the question was asked before."""
    shared = AnswerScope.DATASET

    assert key(versioned()) != key(versioned(), user="bob")
    assert key(versioned(), scope=shared) == key(versioned(), user="bob", scope=shared)


def test_terms_survive_the_wire_to_the_last_digit() -> None:
    """Router and node must derive one charge from them."""
    terms = parameters_message(POLICY)

    assert terms.clip == str(POLICY.clip)
    assert terms.temperature == str(POLICY.temperature)
    assert (terms.slots, terms.multiplier) == (8, 1)


@pytest.mark.parametrize(
    "cls", errors.all_error_classes(), ids=lambda cls: cls.__name__
)
def test_nothing_is_refunded_but_public_refusals_before_the_first_pass(
    cls: type[errors.FederationError],
) -> None:
    """An inner failure, a lost node or a deadline may follow from a record."""
    error = cls.__new__(cls)
    certain = {
        "QUEUE_FULL",
        "DRAINING",
        "MODEL_UNKNOWN",
        "PRIVATE_NOT_OFFERED",
        "CHARGE_MISMATCH",
        "PROMPT_TOO_LONG",
        "ROLE_NOT_ALLOWED",
    }

    assert (refund_cause(error) is not None) is (cls.reason in certain)
    assert set(REFUNDABLE) == certain
