"""Who gets a shard's slots, and which frames may follow."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import (
    FieldInvalid,
    InvalidInput,
    LimitReached,
    PromptTooLong,
)
from node.shards.frame_line import FrameLine, WaitingFrame, passes_of
from node.shards.sequences import HeldSequence, Sequences, ShardLimits

LIMITS = ShardLimits(
    slots=3,
    context_tokens_max=40,
    frame_tokens_max=8,
    sequence_frames_max=2,
    sequence_idle_s=10.0,
)
Frame = WaitingFrame[int]


def frame(slot: int, positions: int = 1, first: int = 0) -> Frame:
    """Return a waiting frame of a sequence of its own."""
    return WaitingFrame(HeldSequence(slot, 40), first, positions, slot, lambda _: None)


def test_every_slot_is_given_once_and_the_next_sequence_is_refused() -> None:
    """Memory was taken for so many sequences and no more."""
    sequences = Sequences(LIMITS)

    held = [sequences.begin(10, now_s=0.0) for _ in range(LIMITS.slots)]

    assert sorted(one.slot for one in held) == [0, 1, 2]
    with pytest.raises(LimitReached):
        sequences.begin(10, now_s=0.0)
    sequences.end(held[1])
    assert sequences.begin(10, now_s=0.0).slot == 1


def test_ending_twice_gives_a_slot_back_once() -> None:
    """A close may cross the error that ended the sequence."""
    sequences = Sequences(LIMITS)
    first = sequences.begin(10, now_s=0.0)

    sequences.end(first)
    sequences.end(first)

    assert sequences.open == 0
    slots = {sequences.begin(10, now_s=0.0).slot for _ in range(LIMITS.slots)}
    assert len(slots) == LIMITS.slots


@pytest.mark.parametrize(
    ("tokens_max", "error"),
    [(0, FieldInvalid), (-1, FieldInvalid), (41, PromptTooLong)],
)
def test_sequence_longer_than_a_slot_is_refused(
    tokens_max: int, error: type[Exception]
) -> None:
    """Before it holds anything."""
    sequences = Sequences(LIMITS)

    with pytest.raises(error):
        sequences.begin(tokens_max, now_s=0.0)
    assert sequences.open == 0


@pytest.mark.parametrize(
    ("first", "positions", "error", "field"),
    [
        (0, 1, FieldInvalid, "activations.first_position"),
        (4, 1, FieldInvalid, "activations.first_position"),
        (3, 9, FieldInvalid, "activations.positions"),
        (3, 8, PromptTooLong, "activations.positions"),
    ],
)
def test_frame_that_does_not_follow_is_refused(
    first: int, positions: int, error: type[FieldInvalid], field: str
) -> None:
    """After 3 of 10 positions: again, with a gap, too long, past the end."""
    sequences = Sequences(LIMITS)
    held = sequences.begin(10, now_s=0.0)
    sequences.extend(held, 0, 3, now_s=0.0)

    with pytest.raises(error) as refused:
        sequences.extend(held, first, positions, now_s=0.0)
    assert refused.value.metadata["field"] == field
    assert (held.held, held.waiting) == (3, 1)


def test_frames_of_a_sequence_that_wait_are_limited() -> None:
    """A leader that does not wait for answers fills its own measure only."""
    sequences = Sequences(LIMITS)
    held = sequences.begin(10, now_s=0.0)
    sequences.extend(held, 0, 1, now_s=0.0)
    sequences.extend(held, 1, 1, now_s=0.0)

    with pytest.raises(LimitReached):
        sequences.extend(held, 2, 1, now_s=0.0)
    sequences.answered(held, now_s=0.0)
    sequences.extend(held, 2, 1, now_s=0.0)


def test_sequence_is_idle_only_after_its_time_and_with_nothing_waiting() -> None:
    """A slow shard must not end what it is working on."""
    sequences = Sequences(LIMITS)
    held = sequences.begin(10, now_s=0.0)

    assert not sequences.is_idle(held, now_s=10.0)
    assert sequences.is_idle(held, now_s=10.1)
    sequences.extend(held, 0, 1, now_s=10.1)
    assert not sequences.is_idle(held, now_s=99.0)
    sequences.answered(held, now_s=99.0)
    assert not sequences.is_idle(held, now_s=109.0)
    assert sequences.is_idle(held, now_s=109.1)


frames = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([1, 1, 3, 8])), max_size=12
).map(lambda rows: [frame(slot, positions) for slot, positions in rows])


@given(frames, st.integers(1, 20))
def test_passes_take_each_sequence_once_and_never_pad(
    waiting: list[Frame], pass_tokens_max: int
) -> None:
    """The first frame of a sequence is the only one whose place is known."""
    passes = passes_of(waiting, pass_tokens_max=pass_tokens_max)

    taken = [one for group in passes for one in group]
    slots = [one.sequence.slot for one in taken]
    assert len(slots) == len(set(slots))
    for group in passes:
        assert len({one.positions for one in group}) == 1
        longer = group[0].positions > 1
        assert (
            not longer
            or len(group) == 1
            or (len(group) * group[0].positions <= pass_tokens_max)
        )
    firsts = {}
    for one in waiting:
        firsts.setdefault(one.sequence.slot, one)
    assert all(firsts[one.sequence.slot] is one for one in taken)
    single = [one for one in firsts.values() if one.positions == 1]
    assert {id(one) for one in single} <= {id(one) for one in taken}
    assert bool(passes) is bool(waiting)


def test_longer_frame_that_came_first_is_not_passed_by_for_ever() -> None:
    """Others of another length must not keep it from its turn."""
    old, new = frame(5, 8), [frame(slot, 3) for slot in range(4)]

    (taken,) = passes_of([old, *new], pass_tokens_max=12)

    assert taken == [old]


def test_frames_of_ended_sequences_are_never_taken() -> None:
    """Their slots may be somebody else's by now."""
    line = FrameLine[int](pass_tokens_max=8)
    gone, there = frame(0), frame(1)
    line.join(gone)
    line.join(there)

    gone.sequence.closed = True

    assert line.take() == [[there]]
    assert len(line) == 0


def test_closed_line_takes_nothing_and_lets_the_thread_end() -> None:
    """What waited is dropped, what comes is not kept."""
    line = FrameLine[int](pass_tokens_max=8)
    line.join(frame(0))

    line.close()
    line.join(frame(1))

    assert line.take() == []
    assert len(line) == 0


def test_random_use_leaks_no_slot() -> None:
    """Opens, frames, answers and ends in any order: slots and counts add up."""
    seed = random.randrange(2**32)  # noqa: S311 - chance, not secrecy.
    print(f"seed {seed}")  # noqa: T201 - to run it again.
    dice = random.Random(seed)  # noqa: S311 - as above.
    sequences, held = Sequences(LIMITS), []
    for _ in range(2000):
        try:
            match dice.randrange(4):
                case 0:
                    held.append(sequences.begin(dice.randint(0, 45), now_s=0.0))
                case 1 if held:
                    one = dice.choice(held)
                    sequences.extend(
                        one, one.held + dice.randint(0, 1), dice.randint(1, 9), now_s=0
                    )
                case 2 if held:
                    one = dice.choice(held)
                    if one.waiting:
                        sequences.answered(one, now_s=0.0)
                case _ if held:
                    sequences.end(held.pop(dice.randrange(len(held))))
        except (InvalidInput, LimitReached):
            pass
        slots = [one.slot for one in held]
        assert len(slots) == len(set(slots)) == sequences.open <= LIMITS.slots
        assert all(0 <= one.waiting <= LIMITS.sequence_frames_max for one in held)
    for one in held:
        sequences.end(one)
    assert sequences.open == 0
    assert {sequences.begin(1, now_s=0.0).slot for _ in range(3)} == {0, 1, 2}
