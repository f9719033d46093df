"""What the finders of personal data find, and what they leave alone."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn

from federated_router.sensitivity.kinds import PersonalDataKind as Kind
from federated_router.sensitivity.page import page_of
from federated_router.sensitivity.personal_data import (
    FINDERS,
    WINDOW_CHARACTERS,
    WITHOUT_DIGITS,
    read,
)


def found(text: str) -> set[Kind]:
    """Return every kind that is found in a text."""
    kinds = read([text], tuple(Kind), characters_max=1 << 20).kinds
    return set(kinds)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.EMAIL_ADDRESS, "write to jo.b+x@mail.example.org today"),
        (Kind.EMAIL_ADDRESS, "jo (at) example.org"),
        (Kind.PHONE_NUMBER, "ring +49 30 901820 tomorrow"),
        (Kind.PHONE_NUMBER, "it is (978)645-9740x11144"),
        (Kind.PHONE_NUMBER, "office,833.719.3994"),
        (Kind.PHONE_NUMBER, "my phone is 92 34 70"),
        (Kind.PHONE_NUMBER, "\uff10\uff13\uff10 \uff19\uff10\uff11\uff18\uff12\uff10"),
        (Kind.IP_ADDRESS, "blocked 74.34.59.240 today"),
        (Kind.IP_ADDRESS, "from 2a02:8108:8a40:1::7f"),
        (Kind.POSTAL_ADDRESS, "I live at 12 Old Mill Road in the country"),
        (Kind.POSTAL_ADDRESS, "19 rue La Boétie"),
        (Kind.POSTAL_ADDRESS, "er wohnt Genterstrasse 49"),
        (Kind.POSTAL_ADDRESS, "P.O. Box 255"),
        (Kind.POSTAL_ADDRESS, "somewhere in Reno, NV 89501"),
        (Kind.PAYMENT_CARD, "charge 4556 4264 2848 1144 please"),
        (Kind.BANK_ACCOUNT, "to GB22 SPSQ 9471 4895 0575 50 please"),
        (Kind.BANK_ACCOUNT, "to gb22spsq94714895057550"),
        (Kind.NATIONAL_ID, "SSN 364-21-3719"),
        (Kind.NATIONAL_ID, "QQ is none, AB 12 34 56 C is one"),
        (Kind.NATIONAL_ID, "pesel 44051401359"),
        (Kind.NATIONAL_ID, "RSSMRA85T10A562S"),
        (Kind.NATIONAL_ID, "dni 54362315K"),
        (Kind.NATIONAL_ID, "henkilötunnus 131052-308T"),
        (Kind.NATIONAL_ID, "steuer-id 36 574 261 809"),
        (Kind.DOCUMENT_NUMBER, "D.O.B. and MRN 77120"),
        (Kind.DOCUMENT_NUMBER, "my driver's license number is U62928788557186"),
        (Kind.DOCUMENT_NUMBER, "MRN: 0042117"),
        (Kind.BIRTH_DATE, "born on 5/4/1936"),
        (Kind.BIRTH_DATE, "geboren am 4. Mai 1936"),
        (Kind.PERSON_NAME, "please ask Dr. Petrova"),
        (Kind.BIRTH_DATE, "D.O.B. 5/4/1936"),
        (Kind.PERSON_NAME, "my name is Öczan"),
        (Kind.PERSON_NAME, "Hello, I'm Bob"),
        (Kind.PERSON_NAME, "I\u2019m Bob"),
        (Kind.PERSON_NAME, "Name: Pat smith"),
        (Kind.PERSON_NAME, "Dear Ana, thank you"),
        (Kind.PERSON_NAME, "his wife Joan came"),
        (Kind.PERSON_NAME_BY_FORM, "when Leslie Armijo came"),
        (Kind.PERSON_NAME_BY_FORM, "with Donald van der Voet"),
    ],
)  # fmt: skip
def test_every_kind_is_found_where_it_stands(kind: Kind, text: str) -> None:
    """Each form that the documentation names is met by the finder of its kind."""
    assert kind in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "What is the boiling point of water at 2000 m?",
        "def f(x): return x ** 2 + 3.14159265358979",
        "The war of 1914-1918 ended on November 11",
        "listen on 127.0.0.1:8080 and 192.168.1.20 or fe80::1",
        "version 1.2.3.4567 of the library",
        "Write a story about a dragon who cannot fly.",
        "Summarise: the committee met on Monday in July and chose nobody.",
        "chapter 12 of the book, page 345, line 6",
        "hello there, how do I sort a list of 1,000,000 numbers?",
        "the doctor. The patient left; it was late",
        "dissolve it in 5 M H2SO4, from 1450-1750 C",
        "10:45:30 is a time and std::vector::size a name",
        "",
    ],
)
def test_ordinary_prompts_are_left_alone(text: str) -> None:
    """A finder that finds everything would pass the test above; not this one."""
    assert found(text) == set()


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Kind.PAYMENT_CARD, "4556426428481144", "4556426428481145"),
        (Kind.BANK_ACCOUNT, "GB22SPSQ94714895057550", "GB23SPSQ94714895057550"),
        (Kind.NATIONAL_ID, "44051401359", "44051401358"),
    ],
)
def test_check_digits_are_asked_for(kind: Kind, right: str, wrong: str) -> None:
    """Where any number has the form, its check digits tell."""
    assert kind in found(right)
    assert kind not in found(wrong)


@given(st.integers(10**14, 10**15 - 1), st.text(" \n.,;abc", max_size=40))
def test_every_card_with_a_check_digit_is_found(number: int, around: str) -> None:
    """Whatever stands around a card's number, it is found."""
    card = f"{number}{luhn.calc_check_digit(str(number))}"
    assert Kind.PAYMENT_CARD in found(f"{around} {card} {around}")


@given(st.integers(0, 10**18 - 1))
def test_every_account_with_check_digits_is_found(number: int) -> None:
    """German account numbers of any bank: the national rules are not asked for."""
    account = f"DE00{number:018d}"
    right = f"DE{iban.calc_check_digits(account)}{number:018d}"
    assert Kind.BANK_ACCOUNT in found(f"pay to {right} now")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_makes_a_finder_fail_and_spans_lie_within_it(text: str) -> None:
    """Finders meet whatever clients send; a span is of the page's own text."""
    page = page_of(text)
    for finder in FINDERS.values():
        for begin, end in finder(page):
            assert 0 <= begin < end <= len(page.text)


@pytest.mark.parametrize("before_end", range(16))
def test_a_find_is_not_cut_in_two_between_windows(before_end: int) -> None:
    """Windows overlap by more than a find is long."""
    text = " " * (WINDOW_CHARACTERS - before_end) + "jo@example.org" + " " * 400
    assert found(text) == {Kind.EMAIL_ADDRESS}


def test_what_is_left_unread_is_told() -> None:
    """Beyond the limit nothing is looked at, and the reading is not whole."""
    texts = ["x" * 90, "jo@example.org"]

    cut = read(texts, tuple(Kind), characters_max=100)
    whole = read(texts, tuple(Kind), characters_max=104)

    assert (cut.kinds, cut.whole) == ((), False)
    assert (whole.kinds, whole.whole) == ((Kind.EMAIL_ADDRESS,), True)


def test_reading_stops_when_its_time_is_over() -> None:
    """The time is looked at before each window, not after the last."""
    looks = iter([True, False])

    cut = read(
        ["x" * 3 * WINDOW_CHARACTERS],
        tuple(Kind),
        characters_max=1 << 20,
        in_time=lambda: next(looks),
    )

    assert not cut.whole
    assert next(looks, None) is None


def test_first_window_is_read_however_slow_the_machine() -> None:
    """A process that stood still for a moment makes no short text unread."""
    slow = read(
        ["jo@example.org"], tuple(Kind), characters_max=1000, in_time=lambda: False
    )

    assert (slow.kinds, slow.whole) == ((Kind.EMAIL_ADDRESS,), True)


@pytest.mark.parametrize("kind", Kind)
def test_kinds_that_are_sought_without_digits_are_those_that_need_none(
    kind: Kind,
) -> None:
    """A finder that is passed over on a text without digits would find nothing."""
    text = (
        "Dear Ana Lopez, write to jo@example.org or fe::c:b:a, born in May, rue Abc, "
        "passport number ABCDEF, IBAN GB, flat B, call me Bob Miller"
    )
    page = page_of(text)
    assert not page.has_digits
    if kind in WITHOUT_DIGITS:
        return

    assert list(FINDERS[kind](page)) == []


def test_only_the_kinds_asked_for_are_looked_for() -> None:
    """An operator leaves out kinds that are no secret there."""
    text = "Dear Ana, ring +49 30 901820"
    asked = (Kind.PHONE_NUMBER,)
    assert read([text], asked, characters_max=1000).kinds == asked


@pytest.mark.parametrize(
    "unit",
    ["1", "1 ", "1-", "(1)", "Aa ", "Ab A. ", "a" * 64 + "@", "a@a.", "12 Abc ",
     "rue Abc ", "passport ", "de12 ", "my a a son ", "born 1/", "p o box ", "a:"],
)  # fmt: skip
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    """No form backtracks: a window of the worst text is done in a second.

    Measured on a busy machine: 76 ms for the worst. An exponential form takes years.
    """
    page = page_of((unit * WINDOW_CHARACTERS)[: WINDOW_CHARACTERS - 1] + "x")
    began_s = time.process_time()
    for finder in FINDERS.values():
        for _ in finder(page):
            pass
    assert time.process_time() - began_s < 1.0
