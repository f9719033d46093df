import datetime

from federated_router.api.v1 import inference_pb2 as _inference_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Account(_message.Message):
    __slots__ = ("name", "kind", "epsilon", "delta", "renewal", "time_zone", "limit_units", "spent_units", "held_units", "lifetime_units", "spent_epsilon", "renew_time")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Account.Kind]
        KIND_DATASET: _ClassVar[Account.Kind]
        KIND_USER: _ClassVar[Account.Kind]
    KIND_UNSPECIFIED: Account.Kind
    KIND_DATASET: Account.Kind
    KIND_USER: Account.Kind
    class Renewal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RENEWAL_UNSPECIFIED: _ClassVar[Account.Renewal]
        RENEWAL_NONE: _ClassVar[Account.Renewal]
        RENEWAL_DAILY: _ClassVar[Account.Renewal]
        RENEWAL_WEEKLY: _ClassVar[Account.Renewal]
        RENEWAL_MONTHLY: _ClassVar[Account.Renewal]
    RENEWAL_UNSPECIFIED: Account.Renewal
    RENEWAL_NONE: Account.Renewal
    RENEWAL_DAILY: Account.Renewal
    RENEWAL_WEEKLY: Account.Renewal
    RENEWAL_MONTHLY: Account.Renewal
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_UNITS_FIELD_NUMBER: _ClassVar[int]
    SPENT_UNITS_FIELD_NUMBER: _ClassVar[int]
    HELD_UNITS_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_UNITS_FIELD_NUMBER: _ClassVar[int]
    SPENT_EPSILON_FIELD_NUMBER: _ClassVar[int]
    RENEW_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: Account.Kind
    epsilon: float
    delta: float
    renewal: Account.Renewal
    time_zone: str
    limit_units: int
    spent_units: int
    held_units: int
    lifetime_units: int
    spent_epsilon: float
    renew_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[Account.Kind, str]] = ..., epsilon: _Optional[float] = ..., delta: _Optional[float] = ..., renewal: _Optional[_Union[Account.Renewal, str]] = ..., time_zone: _Optional[str] = ..., limit_units: _Optional[int] = ..., spent_units: _Optional[int] = ..., held_units: _Optional[int] = ..., lifetime_units: _Optional[int] = ..., spent_epsilon: _Optional[float] = ..., renew_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Reservation(_message.Message):
    __slots__ = ("name", "state", "reserved_units", "charged_units", "tokens", "create_time", "accounts")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Reservation.State]
        STATE_HELD: _ClassVar[Reservation.State]
        STATE_COMMITTED: _ClassVar[Reservation.State]
        STATE_RELEASED: _ClassVar[Reservation.State]
        STATE_EXPIRED: _ClassVar[Reservation.State]
    STATE_UNSPECIFIED: Reservation.State
    STATE_HELD: Reservation.State
    STATE_COMMITTED: Reservation.State
    STATE_RELEASED: Reservation.State
    STATE_EXPIRED: Reservation.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_UNITS_FIELD_NUMBER: _ClassVar[int]
    CHARGED_UNITS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Reservation.State
    reserved_units: int
    charged_units: int
    tokens: int
    create_time: _timestamp_pb2.Timestamp
    accounts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Reservation.State, str]] = ..., reserved_units: _Optional[int] = ..., charged_units: _Optional[int] = ..., tokens: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., accounts: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateAccountRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class CreateAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class ListAccountsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccountsResponse(_message.Message):
    __slots__ = ("accounts", "next_page_token")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    next_page_token: str
    def __init__(self, accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PriceEventRequest(_message.Message):
    __slots__ = ("dataset", "policy", "selection", "tokens_max")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    policy: str
    selection: _inference_pb2.Selection
    tokens_max: int
    def __init__(self, dataset: _Optional[str] = ..., policy: _Optional[str] = ..., selection: _Optional[_Union[_inference_pb2.Selection, str]] = ..., tokens_max: _Optional[int] = ...) -> None: ...

class PriceEventResponse(_message.Message):
    __slots__ = ("token_charge_units", "worst_case_units", "worst_case_epsilon", "free_units", "parameters")
    TOKEN_CHARGE_UNITS_FIELD_NUMBER: _ClassVar[int]
    WORST_CASE_UNITS_FIELD_NUMBER: _ClassVar[int]
    WORST_CASE_EPSILON_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    token_charge_units: int
    worst_case_units: int
    worst_case_epsilon: float
    free_units: int
    parameters: _inference_pb2.PrivacyParameters
    def __init__(self, token_charge_units: _Optional[int] = ..., worst_case_units: _Optional[int] = ..., worst_case_epsilon: _Optional[float] = ..., free_units: _Optional[int] = ..., parameters: _Optional[_Union[_inference_pb2.PrivacyParameters, _Mapping]] = ...) -> None: ...

class ListReservationsRequest(_message.Message):
    __slots__ = ("account", "page_size", "page_token")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    account: str
    page_size: int
    page_token: str
    def __init__(self, account: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReservationsResponse(_message.Message):
    __slots__ = ("reservations", "next_page_token")
    RESERVATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    reservations: _containers.RepeatedCompositeFieldContainer[Reservation]
    next_page_token: str
    def __init__(self, reservations: _Optional[_Iterable[_Union[Reservation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
