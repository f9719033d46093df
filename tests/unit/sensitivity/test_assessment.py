"""A level is what the sender says, raised by what is found, and never lowered."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.sensitivity.assessment import UNREAD, Assessment, Assessor
from federated_router.sensitivity.kinds import PersonalDataKind
from federated_router.sensitivity.levels import Sensitivity
from federated_router.sensitivity.settings import SensitivitySettings

ASSESSOR = Assessor(SensitivitySettings())
PERSONAL = "write to jo@example.org"
PLAIN = "how do magnets work?"
levels = st.sampled_from(Sensitivity)
declared = st.none() | levels


class RunningClock:
    """A clock that runs on by a second at each look."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def monotonic_s(self) -> float:
        """Return a later time than before."""
        self._now_s += 1.0
        return self._now_s

    def now_s(self) -> float:
        """Return the same time."""
        return self._now_s

    async def sleep(self, duration_s: float) -> None:
        """Run on."""
        self._now_s += duration_s


@given(st.lists(st.text(max_size=80), max_size=4), declared, levels)
def test_a_level_is_never_below_what_is_declared_or_the_default(
    texts: list[str], level: Sensitivity | None, default: Sensitivity
) -> None:
    """Whatever a detector makes of a text, it only raises."""
    settings = SensitivitySettings(default=default)
    assessed = Assessor(settings).assess(texts, level)
    assert assessed.level >= (default if level is None else level)


@given(st.lists(st.text(max_size=80), max_size=3), st.text(max_size=80), declared)
def test_more_text_never_lowers_a_level(
    texts: list[str], further: str, level: Sensitivity | None
) -> None:
    """Nobody gets rid of a level by adding to a conversation."""
    before = ASSESSOR.assess(texts, level)
    after = ASSESSOR.assess([*texts, further], level)
    assert after.level >= before.level
    assert set(before.kinds) <= set(after.kinds)


@pytest.mark.parametrize("level", [None, *Sensitivity])
def test_personal_data_makes_a_request_sensitive_whatever_it_declares(
    level: Sensitivity | None,
) -> None:
    """In a message of any role and at any place."""
    for texts in ([PERSONAL], [PLAIN, PERSONAL], [PERSONAL, PLAIN]):
        assert ASSESSOR.assess(texts, level) == Assessment(
            Sensitivity.SENSITIVE, ("email_address",)
        )


def test_an_ordinary_request_has_the_level_that_it_declares() -> None:
    """A detector that raises everything would pass the tests above; not this one."""
    for level in Sensitivity:
        assert ASSESSOR.assess([PLAIN], level) == Assessment(level)
    assert ASSESSOR.assess([PLAIN], None).level is Sensitivity.INTERNAL


def test_what_is_too_long_to_be_read_is_sensitive() -> None:
    """Length is no way around the detector."""
    assessor = Assessor(SensitivitySettings(characters_max=1024))
    long = "a " * 513

    assert assessor.assess([long], Sensitivity.PUBLIC) == Assessment(
        Sensitivity.SENSITIVE, (UNREAD,)
    )
    assert assessor.assess([long[:1024]], None).kinds == ()


def test_what_takes_too_long_to_be_read_is_sensitive() -> None:
    """The time is bounded, and what was found until then still counts."""
    assessor = Assessor(SensitivitySettings(time_ms_max=1500), clock=RunningClock())

    assessed = assessor.assess([PERSONAL, PLAIN, PLAIN], Sensitivity.PUBLIC)

    assert assessed == Assessment(Sensitivity.SENSITIVE, ("email_address", UNREAD))


def test_an_operator_chooses_the_kinds_or_none() -> None:
    """Without the detector a request has the level that it declares."""
    named = "when Leslie Armijo came"
    every = Assessor(SensitivitySettings(kinds=tuple(PersonalDataKind)))
    deaf = Assessor(SensitivitySettings(detect=False))

    assert every.assess([named], None).level is Sensitivity.SENSITIVE
    assert ASSESSOR.assess([named], None).level is Sensitivity.INTERNAL
    assert deaf.assess([PERSONAL], Sensitivity.PUBLIC).level is Sensitivity.PUBLIC


@pytest.mark.parametrize(("length", "threads"), [(99, "this"), (101, "another")])
async def test_long_requests_are_read_in_a_thread(
    length: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop serves others meanwhile; short ones are not worth the way."""
    assessor = Assessor(SensitivitySettings(thread_characters=100))
    seen: list[int] = []
    assess = assessor.assess

    def watched(texts: list[str], level: Sensitivity | None) -> Assessment:
        seen.append(threading.get_ident())
        return assess(texts, level)

    monkeypatch.setattr(assessor, "assess", watched)
    text = PERSONAL + " " * (length - len(PERSONAL))

    assessed = await assessor.assessed([text], None)

    assert assessed.level is Sensitivity.SENSITIVE
    assert (seen == [threading.get_ident()]) == (threads == "this")


def test_nothing_of_a_text_is_told() -> None:
    """Kinds leave, and what was found stays: not even a representation holds it."""
    assessed = ASSESSOR.assess(["my name is Rumpelstilz, jo@example.org"], None)
    assert "Rumpelstilz" not in repr(assessed)
    assert "example" not in repr(assessed)


@pytest.mark.parametrize("default", ["secret", "PUBLIC", 2, None])
def test_an_unknown_level_is_refused_at_the_start(default: object) -> None:
    """Levels are configured by their small names."""
    with pytest.raises(ValueError, match="public, internal, sensitive"):
        SensitivitySettings.model_validate({"default": default})
