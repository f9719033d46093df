import datetime

from federated_router.api.v1 import budget_pb2 as _budget_pb2
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

class Synthesis(_message.Message):
    __slots__ = ("name", "state", "dataset", "policy", "model", "records_count", "batch_records", "batches_count", "tokens_max", "batches_sampled", "batches_spent", "batches_sampling", "reservation", "token_charge_units", "tokens_charged", "epsilon_charged", "epsilon_max", "delta", "create_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Synthesis.State]
        STATE_OPEN: _ClassVar[Synthesis.State]
        STATE_FINISHING: _ClassVar[Synthesis.State]
        STATE_FINISHED: _ClassVar[Synthesis.State]
    STATE_UNSPECIFIED: Synthesis.State
    STATE_OPEN: Synthesis.State
    STATE_FINISHING: Synthesis.State
    STATE_FINISHED: Synthesis.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RECORDS_COUNT_FIELD_NUMBER: _ClassVar[int]
    BATCH_RECORDS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    BATCHES_SAMPLED_FIELD_NUMBER: _ClassVar[int]
    BATCHES_SPENT_FIELD_NUMBER: _ClassVar[int]
    BATCHES_SAMPLING_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_CHARGE_UNITS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_CHARGED_FIELD_NUMBER: _ClassVar[int]
    EPSILON_CHARGED_FIELD_NUMBER: _ClassVar[int]
    EPSILON_MAX_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Synthesis.State
    dataset: str
    policy: str
    model: str
    records_count: int
    batch_records: int
    batches_count: int
    tokens_max: int
    batches_sampled: int
    batches_spent: int
    batches_sampling: int
    reservation: str
    token_charge_units: int
    tokens_charged: int
    epsilon_charged: float
    epsilon_max: float
    delta: float
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Synthesis.State, str]] = ..., dataset: _Optional[str] = ..., policy: _Optional[str] = ..., model: _Optional[str] = ..., records_count: _Optional[int] = ..., batch_records: _Optional[int] = ..., batches_count: _Optional[int] = ..., tokens_max: _Optional[int] = ..., batches_sampled: _Optional[int] = ..., batches_spent: _Optional[int] = ..., batches_sampling: _Optional[int] = ..., reservation: _Optional[str] = ..., token_charge_units: _Optional[int] = ..., tokens_charged: _Optional[int] = ..., epsilon_charged: _Optional[float] = ..., epsilon_max: _Optional[float] = ..., delta: _Optional[float] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SynthesisBatch(_message.Message):
    __slots__ = ("number", "state", "text", "tokens", "finish_reason")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[SynthesisBatch.State]
        STATE_SAMPLING: _ClassVar[SynthesisBatch.State]
        STATE_SAMPLED: _ClassVar[SynthesisBatch.State]
        STATE_SPENT: _ClassVar[SynthesisBatch.State]
    STATE_UNSPECIFIED: SynthesisBatch.State
    STATE_SAMPLING: SynthesisBatch.State
    STATE_SAMPLED: SynthesisBatch.State
    STATE_SPENT: SynthesisBatch.State
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    number: int
    state: SynthesisBatch.State
    text: str
    tokens: int
    finish_reason: _inference_pb2.FinishReason
    def __init__(self, number: _Optional[int] = ..., state: _Optional[_Union[SynthesisBatch.State, str]] = ..., text: _Optional[str] = ..., tokens: _Optional[int] = ..., finish_reason: _Optional[_Union[_inference_pb2.FinishReason, str]] = ...) -> None: ...

class CreateSynthesisRequest(_message.Message):
    __slots__ = ("request_id", "dataset", "policy", "model", "messages", "records_count", "tokens_max", "validate_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    dataset: str
    policy: str
    model: str
    messages: _containers.RepeatedCompositeFieldContainer[_inference_pb2.Message]
    records_count: int
    tokens_max: int
    validate_only: bool
    def __init__(self, request_id: _Optional[str] = ..., dataset: _Optional[str] = ..., policy: _Optional[str] = ..., model: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_inference_pb2.Message, _Mapping]]] = ..., records_count: _Optional[int] = ..., tokens_max: _Optional[int] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class CreateSynthesisResponse(_message.Message):
    __slots__ = ("synthesis", "price")
    SYNTHESIS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    synthesis: Synthesis
    price: _budget_pb2.PriceEventResponse
    def __init__(self, synthesis: _Optional[_Union[Synthesis, _Mapping]] = ..., price: _Optional[_Union[_budget_pb2.PriceEventResponse, _Mapping]] = ...) -> None: ...

class GetSynthesisRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSynthesisResponse(_message.Message):
    __slots__ = ("synthesis",)
    SYNTHESIS_FIELD_NUMBER: _ClassVar[int]
    synthesis: Synthesis
    def __init__(self, synthesis: _Optional[_Union[Synthesis, _Mapping]] = ...) -> None: ...

class ListSynthesesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSynthesesResponse(_message.Message):
    __slots__ = ("syntheses", "next_page_token")
    SYNTHESES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    syntheses: _containers.RepeatedCompositeFieldContainer[Synthesis]
    next_page_token: str
    def __init__(self, syntheses: _Optional[_Iterable[_Union[Synthesis, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SampleSynthesisRequest(_message.Message):
    __slots__ = ("name", "batch_number", "records")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BATCH_NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    batch_number: int
    records: _containers.RepeatedCompositeFieldContainer[_inference_pb2.Record]
    def __init__(self, name: _Optional[str] = ..., batch_number: _Optional[int] = ..., records: _Optional[_Iterable[_Union[_inference_pb2.Record, _Mapping]]] = ...) -> None: ...

class SampleSynthesisResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: SynthesisBatch
    def __init__(self, batch: _Optional[_Union[SynthesisBatch, _Mapping]] = ...) -> None: ...

class ListSynthesisBatchesRequest(_message.Message):
    __slots__ = ("name", "page_size", "page_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    page_size: int
    page_token: str
    def __init__(self, name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSynthesisBatchesResponse(_message.Message):
    __slots__ = ("batches", "next_page_token")
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    batches: _containers.RepeatedCompositeFieldContainer[SynthesisBatch]
    next_page_token: str
    def __init__(self, batches: _Optional[_Iterable[_Union[SynthesisBatch, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class FinishSynthesisRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class FinishSynthesisResponse(_message.Message):
    __slots__ = ("synthesis",)
    SYNTHESIS_FIELD_NUMBER: _ClassVar[int]
    synthesis: Synthesis
    def __init__(self, synthesis: _Optional[_Union[Synthesis, _Mapping]] = ...) -> None: ...
