"""What a private request costs, and what makes two requests the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.private_charge import (
    REFUNDABLE,
    body_digest,
    price_of,
    refund_cause,
)
from federated_router.proxy.private_proxy import parameters_message

POLICY = PolicySettings.model_validate(
    {
        "name": "p",
        "slots": 8,
        "clip": "1",
        "temperature": "1",
        "top_k": 10,
        "tokens_max": 8,
        "row_tokens_max": 64,
    }
).policy()


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
    price = price_of(private(tokens_max=asked), POLICY, user="alice")

    assert price.policy.tokens_max == priced
    assert price.token_units == token_charge_units(POLICY)


def test_data_set_and_user_are_both_charged() -> None:
    """The data set's account carries the guarantee, the user's is a quota."""
    price = price_of(private(), POLICY, user="alice")

    assert price.accounts == ("accounts/dataset-d", "accounts/user-alice")


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
