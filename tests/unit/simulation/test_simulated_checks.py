"""The checks after a run: evidence of a good one, tampered with, must be seen."""

from dataclasses import replace

import numpy as np

from coordinator.rounds.state import State
from coordinator.simulation import checks
from coordinator.simulation.run import Played


def test_check_sees_a_sum_that_is_off_by_one(played: Played) -> None:
    """A check that cannot fail would prove nothing."""
    evidence = played.evidence
    first = evidence.published[0]
    cell = first.catalogue.cells[0]
    counts = replace(
        first.performance[cell], failures=first.performance[cell].failures + 1
    )
    performance = {**first.performance, cell: counts}
    contents = replace(first.contents, performance=performance)
    other = replace(first, contents=contents)
    tampered = replace(evidence, published=(other, *evidence.published[1:]))

    (found,) = checks.violations(tampered)

    assert "not that of its contributions" in found


def test_check_sees_publication_of_a_rejected_round(played: Played) -> None:
    """Rejected rounds must leave nothing."""
    evidence = played.evidence
    rejected = replace(evidence.rounds[0], state=State.REJECTED)

    found = checks.violations(
        replace(evidence, rounds=(rejected, *evidence.rounds[1:]))
    )

    assert any("rejected" in one for one in found)


def test_check_sees_a_second_answer_of_an_honest_member(played: Played) -> None:
    """Two answers of one holder may open two sums."""
    evidence = played.evidence
    key = next(iter(evidence.witness.answers))
    evidence.witness.answers[key].add(b"another one")
    try:
        (found,) = checks.violations(evidence)
    finally:
        evidence.witness.answers[key].discard(b"another one")

    assert "2 answers" in found


def test_check_sees_a_request_in_two_opened_sums(played: Played) -> None:
    """Each round's requests have a cell of their own, so telling them twice shows."""
    evidence = played.evidence
    member = evidence.parts[3].name
    recorded = evidence.witness.recorded[member]
    evidence.witness.recorded[member] = np.zeros_like(recorded)
    try:
        (found,) = checks.violations(evidence)
    finally:
        evidence.witness.recorded[member] = recorded

    assert "more than one opened sum" in found


def test_check_sees_a_state_that_outlasts_its_deadline(played: Played) -> None:
    """A round that hangs is a round that never ends for its members."""
    evidence = played.evidence
    first = evidence.rounds[0]
    late = replace(first.history[3], enter_s=first.history[2].enter_s + 1_000)
    history = (*first.history[:3], late, *first.history[4:])
    hanging = replace(first, history=history)

    found = checks.violations(replace(evidence, rounds=(hanging, *evidence.rounds[1:])))

    assert any("was collecting for 1000.0 s" in one for one in found)


def test_check_sees_an_honest_member_that_is_named_as_a_liar(played: Played) -> None:
    """Operators act on names; a wrong one must not stand there."""
    evidence = played.evidence
    named = replace(evidence.rounds[0], liars=(evidence.rounds[0].roster[0],))

    found = checks.violations(replace(evidence, rounds=(named, *evidence.rounds[1:])))

    assert any("told the truth" in one for one in found)


def test_check_sees_an_honest_dealer_that_is_named(played: Played) -> None:
    """As much as an honest holder."""
    evidence = played.evidence
    named = replace(
        evidence.rounds[0],
        inconsistent=(evidence.rounds[0].roster[0],),
        survivors=evidence.rounds[0].roster[1:],
    )

    found = checks.violations(replace(evidence, rounds=(named, *evidence.rounds[1:])))

    assert any("whose shares are good" in one for one in found)


def test_check_sees_survivors_that_may_not_be_in_the_sum(played: Played) -> None:
    """Neither who contributed nothing, nor who is named, nor a cohort of too few."""
    first, *others = played.evidence.rounds
    terms = replace(first.terms, cohort_survivors_min=6)
    for tampered, sentence in (
        (replace(first, contributors=first.roster[1:]), "did not contribute"),
        (replace(first, inconsistent=first.roster[:1]), "cannot be opened"),
        (replace(first, terms=terms), "fewer than 6 survivors"),
    ):
        found = checks.violations(replace(played.evidence, rounds=(tampered, *others)))

        assert any(sentence in one for one in found)


def test_check_sees_a_second_check_of_an_honest_member(played: Played) -> None:
    """Two checks about two contributor sets would be two questions."""
    checked = played.evidence.witness.checks
    key = next(iter(checked))
    checked[key].add(b"another one")
    try:
        (found,) = checks.violations(played.evidence)
    finally:
        checked[key].discard(b"another one")

    assert "2 checks" in found
