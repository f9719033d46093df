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
    __slots__ = ("name", "kind", "epsilon", "delta", "renewal", "time_zone", "limit_units", "spent_units", "held_units", "lifetime_units", "spent_epsilon", "renew_time", "lifetime_epsilon", "lifetime_cap_units", "lifetime_spent_epsilon", "accounting", "rdp_order", "promise", "blocks", "close_time", "window_time", "free_units")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Account.Kind]
        KIND_DATASET: _ClassVar[Account.Kind]
        KIND_USER: _ClassVar[Account.Kind]
        KIND_BLOCK: _ClassVar[Account.Kind]
        KIND_DEPARTMENT: _ClassVar[Account.Kind]
        KIND_FEDERATION: _ClassVar[Account.Kind]
    KIND_UNSPECIFIED: Account.Kind
    KIND_DATASET: Account.Kind
    KIND_USER: Account.Kind
    KIND_BLOCK: Account.Kind
    KIND_DEPARTMENT: Account.Kind
    KIND_FEDERATION: Account.Kind
    class Promise(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PROMISE_UNSPECIFIED: _ClassVar[Account.Promise]
        PROMISE_GUARANTEE: _ClassVar[Account.Promise]
        PROMISE_QUOTA: _ClassVar[Account.Promise]
    PROMISE_UNSPECIFIED: Account.Promise
    PROMISE_GUARANTEE: Account.Promise
    PROMISE_QUOTA: Account.Promise
    class Accounting(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACCOUNTING_UNSPECIFIED: _ClassVar[Account.Accounting]
        ACCOUNTING_ZCDP: _ClassVar[Account.Accounting]
        ACCOUNTING_RDP: _ClassVar[Account.Accounting]
    ACCOUNTING_UNSPECIFIED: Account.Accounting
    ACCOUNTING_ZCDP: Account.Accounting
    ACCOUNTING_RDP: Account.Accounting
    class Renewal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RENEWAL_UNSPECIFIED: _ClassVar[Account.Renewal]
        RENEWAL_NONE: _ClassVar[Account.Renewal]
        RENEWAL_DAILY: _ClassVar[Account.Renewal]
        RENEWAL_WEEKLY: _ClassVar[Account.Renewal]
        RENEWAL_MONTHLY: _ClassVar[Account.Renewal]
        RENEWAL_ON_NEW_DATA: _ClassVar[Account.Renewal]
    RENEWAL_UNSPECIFIED: Account.Renewal
    RENEWAL_NONE: Account.Renewal
    RENEWAL_DAILY: Account.Renewal
    RENEWAL_WEEKLY: Account.Renewal
    RENEWAL_MONTHLY: Account.Renewal
    RENEWAL_ON_NEW_DATA: Account.Renewal
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
    LIFETIME_EPSILON_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_CAP_UNITS_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_SPENT_EPSILON_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTING_FIELD_NUMBER: _ClassVar[int]
    RDP_ORDER_FIELD_NUMBER: _ClassVar[int]
    PROMISE_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_TIME_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
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
    lifetime_epsilon: float
    lifetime_cap_units: int
    lifetime_spent_epsilon: float
    accounting: Account.Accounting
    rdp_order: float
    promise: Account.Promise
    blocks: BlockTerms
    close_time: _timestamp_pb2.Timestamp
    window_time: _timestamp_pb2.Timestamp
    free_units: int
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[Account.Kind, str]] = ..., epsilon: _Optional[float] = ..., delta: _Optional[float] = ..., renewal: _Optional[_Union[Account.Renewal, str]] = ..., time_zone: _Optional[str] = ..., limit_units: _Optional[int] = ..., spent_units: _Optional[int] = ..., held_units: _Optional[int] = ..., lifetime_units: _Optional[int] = ..., spent_epsilon: _Optional[float] = ..., renew_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lifetime_epsilon: _Optional[float] = ..., lifetime_cap_units: _Optional[int] = ..., lifetime_spent_epsilon: _Optional[float] = ..., accounting: _Optional[_Union[Account.Accounting, str]] = ..., rdp_order: _Optional[float] = ..., promise: _Optional[_Union[Account.Promise, str]] = ..., blocks: _Optional[_Union[BlockTerms, _Mapping]] = ..., close_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., free_units: _Optional[int] = ...) -> None: ...

class BlockTerms(_message.Message):
    __slots__ = ("scheme", "bucket_count", "epsilon", "limit_units")
    class Scheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SCHEME_UNSPECIFIED: _ClassVar[BlockTerms.Scheme]
        SCHEME_RECORD: _ClassVar[BlockTerms.Scheme]
        SCHEME_BUCKET: _ClassVar[BlockTerms.Scheme]
        SCHEME_BATCH: _ClassVar[BlockTerms.Scheme]
    SCHEME_UNSPECIFIED: BlockTerms.Scheme
    SCHEME_RECORD: BlockTerms.Scheme
    SCHEME_BUCKET: BlockTerms.Scheme
    SCHEME_BATCH: BlockTerms.Scheme
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    BUCKET_COUNT_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    LIMIT_UNITS_FIELD_NUMBER: _ClassVar[int]
    scheme: BlockTerms.Scheme
    bucket_count: int
    epsilon: float
    limit_units: int
    def __init__(self, scheme: _Optional[_Union[BlockTerms.Scheme, str]] = ..., bucket_count: _Optional[int] = ..., epsilon: _Optional[float] = ..., limit_units: _Optional[int] = ...) -> None: ...

class Reservation(_message.Message):
    __slots__ = ("name", "state", "reserved_units", "charged_units", "steps", "create_time", "accounts", "settle_time", "event", "steps_bound")
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
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    SETTLE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    STEPS_BOUND_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Reservation.State
    reserved_units: int
    charged_units: int
    steps: int
    create_time: _timestamp_pb2.Timestamp
    accounts: _containers.RepeatedScalarFieldContainer[str]
    settle_time: _timestamp_pb2.Timestamp
    event: str
    steps_bound: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Reservation.State, str]] = ..., reserved_units: _Optional[int] = ..., charged_units: _Optional[int] = ..., steps: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., accounts: _Optional[_Iterable[str]] = ..., settle_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event: _Optional[str] = ..., steps_bound: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("page_size", "page_token", "name_prefix")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    name_prefix: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., name_prefix: _Optional[str] = ...) -> None: ...

class ListAccountsResponse(_message.Message):
    __slots__ = ("accounts", "next_page_token")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    next_page_token: str
    def __init__(self, accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PriceEventRequest(_message.Message):
    __slots__ = ("dataset", "policy", "selection", "tokens_max", "records")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    policy: str
    selection: _inference_pb2.Selection
    tokens_max: int
    records: _containers.RepeatedCompositeFieldContainer[RecordReference]
    def __init__(self, dataset: _Optional[str] = ..., policy: _Optional[str] = ..., selection: _Optional[_Union[_inference_pb2.Selection, str]] = ..., tokens_max: _Optional[int] = ..., records: _Optional[_Iterable[_Union[RecordReference, _Mapping]]] = ...) -> None: ...

class RecordReference(_message.Message):
    __slots__ = ("id", "batch")
    ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    batch: str
    def __init__(self, id: _Optional[str] = ..., batch: _Optional[str] = ...) -> None: ...

class PriceEventResponse(_message.Message):
    __slots__ = ("token_charge_units", "worst_case_units", "worst_case_epsilon", "free_units", "parameters", "accounts")
    TOKEN_CHARGE_UNITS_FIELD_NUMBER: _ClassVar[int]
    WORST_CASE_UNITS_FIELD_NUMBER: _ClassVar[int]
    WORST_CASE_EPSILON_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    token_charge_units: int
    worst_case_units: int
    worst_case_epsilon: float
    free_units: int
    parameters: _inference_pb2.PrivacyParameters
    accounts: _containers.RepeatedCompositeFieldContainer[AccountPrice]
    def __init__(self, token_charge_units: _Optional[int] = ..., worst_case_units: _Optional[int] = ..., worst_case_epsilon: _Optional[float] = ..., free_units: _Optional[int] = ..., parameters: _Optional[_Union[_inference_pb2.PrivacyParameters, _Mapping]] = ..., accounts: _Optional[_Iterable[_Union[AccountPrice, _Mapping]]] = ...) -> None: ...

class AccountPrice(_message.Message):
    __slots__ = ("account", "step_units", "worst_case_units", "free_units")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STEP_UNITS_FIELD_NUMBER: _ClassVar[int]
    WORST_CASE_UNITS_FIELD_NUMBER: _ClassVar[int]
    FREE_UNITS_FIELD_NUMBER: _ClassVar[int]
    account: str
    step_units: int
    worst_case_units: int
    free_units: int
    def __init__(self, account: _Optional[str] = ..., step_units: _Optional[int] = ..., worst_case_units: _Optional[int] = ..., free_units: _Optional[int] = ...) -> None: ...

class ReportAccountRequest(_message.Message):
    __slots__ = ("name", "lifetime")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    lifetime: bool
    def __init__(self, name: _Optional[str] = ..., lifetime: _Optional[bool] = ...) -> None: ...

class ReportAccountResponse(_message.Message):
    __slots__ = ("account", "compositions", "top_reservations", "requests")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    COMPOSITIONS_FIELD_NUMBER: _ClassVar[int]
    TOP_RESERVATIONS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    account: Account
    compositions: _containers.RepeatedCompositeFieldContainer[Composition]
    top_reservations: _containers.RepeatedCompositeFieldContainer[Reservation]
    requests: int
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., compositions: _Optional[_Iterable[_Union[Composition, _Mapping]]] = ..., top_reservations: _Optional[_Iterable[_Union[Reservation, _Mapping]]] = ..., requests: _Optional[int] = ...) -> None: ...

class Composition(_message.Message):
    __slots__ = ("method", "epsilon", "note")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    method: str
    epsilon: float
    note: str
    def __init__(self, method: _Optional[str] = ..., epsilon: _Optional[float] = ..., note: _Optional[str] = ...) -> None: ...

class OpenBlockRequest(_message.Message):
    __slots__ = ("dataset", "batch")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    batch: str
    def __init__(self, dataset: _Optional[str] = ..., batch: _Optional[str] = ...) -> None: ...

class OpenBlockResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class ProposeRenewalRequest(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ProposeRenewalResponse(_message.Message):
    __slots__ = ("proposal", "expire_time")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    proposal: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, proposal: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApproveRenewalRequest(_message.Message):
    __slots__ = ("name", "proposal")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    proposal: str
    def __init__(self, name: _Optional[str] = ..., proposal: _Optional[str] = ...) -> None: ...

class ApproveRenewalResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class CloseAccountRequest(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CloseAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

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
