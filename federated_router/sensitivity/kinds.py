"""The kinds of personal data that are looked for, by name. Pure."""

from enum import StrEnum
from typing import Final


class PersonalDataKind(StrEnum):
    """What is told of a find; never the data itself.

    A name is PERSON_NAME where the words around it say so, and PERSON_NAME_BY_FORM
    where it is only written like one.
    """

    EMAIL_ADDRESS = "email_address"
    PHONE_NUMBER = "phone_number"
    IP_ADDRESS = "ip_address"
    POSTAL_ADDRESS = "postal_address"
    PAYMENT_CARD = "payment_card"
    BANK_ACCOUNT = "bank_account"
    NATIONAL_ID = "national_id"
    DOCUMENT_NUMBER = "document_number"
    BIRTH_DATE = "birth_date"
    PERSON_NAME = "person_name"
    PERSON_NAME_BY_FORM = "person_name_by_form"


BY_DEFAULT: Final = tuple(
    one for one in PersonalDataKind if one is not PersonalDataKind.PERSON_NAME_BY_FORM
)
"""Looked for unless told otherwise: what is only written like a name is so rarely one
that each sixth question of an exam would be taken for personal."""
