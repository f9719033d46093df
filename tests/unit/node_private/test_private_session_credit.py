"""A private session that runs on credit: it draws what was granted, then waits."""

from dataclasses import dataclass

import pytest
import torch
from transformers import LlamaForCausalLM

from federated_router.kit.errors import GrantNotExtended
from federated_router.privacy.policy import PrivatePolicy
from node.private.credit import Credit
from node.private.rows import PrivateRows, build_rows
from node.private.session import PrivateSession, SessionState

RECORDS = ("abc", "a longer record", "")


@dataclass
class Counted:
    """Randomness that counts how often it was asked."""

    draws: int = 0

    def __call__(self, below: int) -> int:
        """Return the middle of the range."""
        self.draws += 1
        return below // 2


def _rows(policy: PrivatePolicy) -> PrivateRows:
    def render(record: str) -> list[int]:
        return [7, *(10 + byte % 40 for byte in record.encode()), 9, 3]

    return build_rows(policy, public_ids=(5, 9, 3), render=render, records=RECORDS)


def _credit(granted: int, policy: PrivatePolicy, wait_s: float = 60.0) -> Credit:
    return Credit(tokens_granted=granted, tokens_max=policy.tokens_max, wait_s=wait_s)


def test_no_token_beyond_the_credit_is_drawn_or_computed(
    model: LlamaForCausalLM, policy: PrivatePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credit there is no forward pass either: its time would be for nothing."""
    passes: list[int] = []
    forward = model.forward

    def spy(*, input_ids: torch.Tensor, **rest: object) -> object:
        passes.append(input_ids.shape[1])
        return forward(input_ids=input_ids, **rest)

    monkeypatch.setattr(model, "forward", spy)
    random_below = Counted()
    session = PrivateSession(
        model,
        policy,
        _rows(policy),
        credit=_credit(2, policy),
        end_ids=(),
        random_below=random_below,
    )

    drawn = [session.step() for _ in range(5)]

    assert [one is not None for one in drawn] == [True, True, False, False, False]
    assert session.tokens_sampled == random_below.draws == len(passes) == 2
    assert session.state is SessionState.OPEN


def test_answer_in_instalments_is_the_answer_without_them(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """When tokens are granted changes when they come, and not which."""

    def tokens(credit: Credit, *, extend: bool) -> list[int]:
        session = PrivateSession(
            model,
            policy,
            _rows(policy),
            credit=credit,
            end_ids=(),
            random_below=Counted(),
        )
        found: list[int] = []
        while session.state is SessionState.OPEN:
            drawn = session.step()
            if drawn is not None:
                found.append(drawn[0])
            elif extend:
                credit.extend(credit.tokens_granted + 1)
        return found

    at_once = tokens(_credit(policy.tokens_max, policy), extend=False)
    in_instalments = tokens(_credit(1, policy), extend=True)

    assert in_instalments == at_once
    assert len(at_once) == policy.tokens_max


def test_session_whose_credit_does_not_come_ends_and_keeps_its_count(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """Its cache, which holds records, is let go of; later grants change nothing."""
    credit = _credit(1, policy, wait_s=1e-9)
    session = PrivateSession(model, policy, _rows(policy), credit=credit, end_ids=())
    session.step()
    assert session.step() is None

    with pytest.raises(GrantNotExtended):
        session.step()

    credit.extend(3)
    assert session.state is SessionState.CLOSED
    assert session.tokens_sampled == 1
    assert session._decoder._cache is None
