"""A private session on a tiny model: what it draws, counts, and lets nobody see."""

import inspect
import secrets
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from federated_router.kit.errors import Internal
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.policy import PrivatePolicy
from node.engine.engine import Stepper
from node.private.credit import Credit
from node.private.rows import PrivateRows, build_rows
from node.private.session import PrivateSession, SessionState
from node.private.token_mechanism import RandomBelow, candidates, token_weights

PUBLIC_IDS = (5, 9, 3)
RECORDS = ("abc", "a longer record", "")

Scripting = Callable[[float], RandomBelow]


def _render(record: str) -> list[int]:
    return [7, *(10 + byte % 40 for byte in record.encode()), 9, 3]


def _rows(policy: PrivatePolicy, records: tuple[str, ...] = RECORDS) -> PrivateRows:
    return build_rows(policy, public_ids=PUBLIC_IDS, render=_render, records=records)


def _run(session: Stepper) -> list[int]:
    tokens, last = [], False
    while not last:
        drawn = session.step()
        assert drawn is not None
        token_id, last = drawn
        tokens.append(token_id)
    return tokens


def _whole(policy: PrivatePolicy) -> Credit:
    """Return a grant of all that the policy allows."""
    granted = policy.tokens_max
    return Credit(tokens_granted=granted, tokens_max=granted, wait_s=1.0)


def test_tokens_are_those_of_whole_unpadded_passes(
    model: LlamaForCausalLM, policy: PrivatePolicy, scripted: Scripting
) -> None:
    """Padding, cache and positions change nothing that the mechanism sees."""
    rows = _rows(policy)
    session = PrivateSession(
        model,
        policy,
        rows,
        credit=_whole(policy),
        end_ids=(),
        random_below=scripted(0.61),
    )

    tokens = _run(session)

    assert tokens == _reference(model, policy, rows, scripted(0.61))
    assert len(tokens) == policy.tokens_max


def test_records_change_what_is_drawn_and_null_slots_do_not(
    model: LlamaForCausalLM, policy: PrivatePolicy, scripted: Scripting
) -> None:
    """The private rows are really used, and a dummy's content never is."""
    rows = _rows(policy)
    other_dummy = replace(rows, token_ids=rows.token_ids.copy())
    other_dummy.token_ids[4, -3:] = (1, 2, 4)
    nobody = _rows(policy, ())

    answers = [
        _run(
            PrivateSession(
                model,
                wide,
                r,
                credit=_whole(policy),
                end_ids=(),
                random_below=scripted(0.61),
            )
        )
        for wide in (replace(policy, clip=policy.clip * 4),)
        for r in (rows, other_dummy, nobody)
    ]

    assert answers[0] == answers[1]
    assert answers[0] != answers[2]


def test_the_end_token_ends_the_answer_and_is_charged(
    model: LlamaForCausalLM, policy: PrivatePolicy, scripted: Scripting
) -> None:
    """The end is a released token like any other."""
    free = PrivateSession(
        model,
        policy,
        _rows(policy),
        credit=_whole(policy),
        end_ids=(),
        random_below=scripted(0.61),
    )
    end_id = _run(free)[2]
    session = PrivateSession(
        model,
        policy,
        _rows(policy),
        credit=_whole(policy),
        end_ids=(end_id,),
        random_below=scripted(0.61),
    )

    tokens = _run(session)

    assert tokens[-1] == end_id
    assert session.state is SessionState.ENDED
    assert session.tokens_sampled == len(tokens) <= 3
    assert session.charge_units == len(tokens) * token_charge_units(policy)


def test_no_token_is_drawn_after_the_last(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """A token beyond the hold would be released without a charge."""
    session = PrivateSession(
        model, policy, _rows(policy), credit=_whole(policy), end_ids=()
    )
    _run(session)

    with pytest.raises(Internal):
        session.step()

    assert session.tokens_sampled == policy.tokens_max


def test_a_closed_session_draws_nothing_and_keeps_its_count(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """A caller who leaves pays for what was sampled."""
    session = PrivateSession(
        model, policy, _rows(policy), credit=_whole(policy), end_ids=()
    )
    session.step()
    session.close()
    session.close()

    with pytest.raises(Internal):
        session.step()

    assert session.state is SessionState.CLOSED
    assert session.tokens_sampled == 1


def test_closing_releases_the_cache_and_the_rows(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """Records live in the cache; nothing keeps them once the answer is over."""
    session = PrivateSession(
        model, policy, _rows(policy), credit=_whole(policy), end_ids=()
    )
    session.step()

    session.close()

    assert session._decoder._cache is None
    assert session._decoder._pending.numel() == 0


def test_a_failing_draw_closes_the_session_and_counts_the_token(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """Whether the failure came before or after the draw is unknown: charge it."""

    def broken(_: int) -> int:
        raise Internal("No randomness.")

    session = PrivateSession(
        model,
        policy,
        _rows(policy),
        credit=_whole(policy),
        end_ids=(),
        random_below=broken,
    )

    with pytest.raises(Internal):
        session.step()

    assert session.state is SessionState.CLOSED
    assert session.tokens_sampled == 1


def test_every_pass_has_the_public_shape(
    model: LlamaForCausalLM, policy: PrivatePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work, memory and kernels do not depend on how many records came, or how long."""
    shapes: list[tuple[int, ...]] = []
    forward = model.forward

    def spy(*, input_ids: torch.Tensor, **rest: object) -> object:
        shapes.append(tuple(input_ids.shape))
        return forward(input_ids=input_ids, **rest)

    monkeypatch.setattr(model, "forward", spy)

    for records in ((), ("x" * 500,), RECORDS):
        _run(
            PrivateSession(
                model, policy, _rows(policy, records), credit=_whole(policy), end_ids=()
            )
        )

    assert shapes == ([(5, 16)] + [(5, 1)] * 5) * 3


def test_banned_tokens_are_never_drawn(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """Special tokens are masked on the public row, whatever the records want."""
    vocabulary = model.config.vocab_size
    banned = set(range(vocabulary)) - {20, 21}

    session = PrivateSession(
        model,
        policy,
        _rows(policy),
        credit=_whole(policy),
        end_ids=(),
        banned_ids=banned,
    )

    assert set(_run(session)) <= {20, 21}


def test_an_end_token_cannot_be_banned(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """Callers pass all special tokens; answers must still be able to end."""
    vocabulary = model.config.vocab_size

    session = PrivateSession(
        model,
        policy,
        _rows(policy),
        credit=_whole(policy),
        end_ids=(2,),
        banned_ids=range(vocabulary),
    )

    assert _run(session) == [2]


def test_rows_of_another_shape_are_refused(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """A row too few would change the meaning of the divisor."""
    rows = _rows(policy)

    with pytest.raises(Internal):
        PrivateSession(
            model, replace(policy, slots=3), rows, credit=_whole(policy), end_ids=()
        )


def test_sessions_draw_from_the_operating_system() -> None:
    """No seed reaches a private request."""
    parameters = inspect.signature(PrivateSession).parameters

    assert parameters["random_below"].default == secrets.randbelow


def test_repeated_sessions_give_different_answers(
    model: LlamaForCausalLM, policy: PrivatePolicy
) -> None:
    """Twelve equal answers of six tokens would mean a fixed seed."""
    hot = replace(policy, temperature=policy.temperature * 4)

    answers = {
        tuple(
            _run(
                PrivateSession(
                    model, hot, _rows(policy), credit=_whole(policy), end_ids=()
                )
            )
        )
        for _ in range(12)
    }

    assert len(answers) > 1


@torch.inference_mode()
def _reference(
    model: LlamaForCausalLM,
    policy: PrivatePolicy,
    rows: PrivateRows,
    random_below: RandomBelow,
) -> list[int]:
    """Draw with one whole pass per row and token: no padding, batch or cache."""
    drawn: list[int] = []
    contexts = [
        ids[mask == 1].tolist()
        for ids, mask in zip(rows.token_ids, rows.attention, strict=True)
    ]
    for _ in range(policy.tokens_max):
        logits = np.stack(
            [
                model(input_ids=torch.tensor([context + drawn])).logits[0, -1].numpy()
                for context in contexts
            ]
        )
        ids = candidates(policy, logits[0])
        weights = token_weights(
            policy,
            token_ids=ids,
            public=logits[0][ids],
            slots=logits[1:][:, ids],
            live=rows.live,
        )
        drawn.append(weights.draw(random_below=random_below))
    return drawn
