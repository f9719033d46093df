from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sensitivity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SENSITIVITY_UNSPECIFIED: _ClassVar[Sensitivity]
    SENSITIVITY_PUBLIC: _ClassVar[Sensitivity]
    SENSITIVITY_INTERNAL: _ClassVar[Sensitivity]
    SENSITIVITY_SENSITIVE: _ClassVar[Sensitivity]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_SYSTEM: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]

class Selection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SELECTION_UNSPECIFIED: _ClassVar[Selection]
    SELECTION_BY_ID: _ClassVar[Selection]
    SELECTION_RETRIEVED: _ClassVar[Selection]

class AnswerSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_SOURCE_UNSPECIFIED: _ClassVar[AnswerSource]
    ANSWER_SOURCE_REPLAY: _ClassVar[AnswerSource]
    ANSWER_SOURCE_CACHE: _ClassVar[AnswerSource]

class EnergyBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENERGY_BASIS_UNSPECIFIED: _ClassVar[EnergyBasis]
    ENERGY_BASIS_MODELLED: _ClassVar[EnergyBasis]
    ENERGY_BASIS_MEASURED: _ClassVar[EnergyBasis]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_END: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]

class PrivateSupport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIVATE_SUPPORT_UNSPECIFIED: _ClassVar[PrivateSupport]
    PRIVATE_SUPPORT_OFFERED: _ClassVar[PrivateSupport]
    PRIVATE_SUPPORT_REFUSED: _ClassVar[PrivateSupport]
SENSITIVITY_UNSPECIFIED: Sensitivity
SENSITIVITY_PUBLIC: Sensitivity
SENSITIVITY_INTERNAL: Sensitivity
SENSITIVITY_SENSITIVE: Sensitivity
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LOW: Priority
PRIORITY_NORMAL: Priority
PRIORITY_HIGH: Priority
ROLE_UNSPECIFIED: Role
ROLE_SYSTEM: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role
SELECTION_UNSPECIFIED: Selection
SELECTION_BY_ID: Selection
SELECTION_RETRIEVED: Selection
ANSWER_SOURCE_UNSPECIFIED: AnswerSource
ANSWER_SOURCE_REPLAY: AnswerSource
ANSWER_SOURCE_CACHE: AnswerSource
ENERGY_BASIS_UNSPECIFIED: EnergyBasis
ENERGY_BASIS_MODELLED: EnergyBasis
ENERGY_BASIS_MEASURED: EnergyBasis
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_END: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
PRIVATE_SUPPORT_UNSPECIFIED: PrivateSupport
PRIVATE_SUPPORT_OFFERED: PrivateSupport
PRIVATE_SUPPORT_REFUSED: PrivateSupport

class GenerateRequest(_message.Message):
    __slots__ = ("generation",)
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    generation: Generation
    def __init__(self, generation: _Optional[_Union[Generation, _Mapping]] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("started", "chunk", "finished")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    started: Started
    chunk: Chunk
    finished: Finished
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ...) -> None: ...

class CompleteRequest(_message.Message):
    __slots__ = ("generation",)
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    generation: Generation
    def __init__(self, generation: _Optional[_Union[Generation, _Mapping]] = ...) -> None: ...

class CompleteResponse(_message.Message):
    __slots__ = ("started", "text", "finished", "logprobs")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    started: Started
    text: str
    finished: Finished
    logprobs: _containers.RepeatedCompositeFieldContainer[TokenLogprob]
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., text: _Optional[str] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., logprobs: _Optional[_Iterable[_Union[TokenLogprob, _Mapping]]] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("request_id", "model", "messages", "sampling", "private_context", "priority", "wishes", "sensitivity", "fresh", "continuation")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WISHES_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    sampling: Sampling
    private_context: PrivateContext
    priority: Priority
    wishes: RouteWishes
    sensitivity: Sensitivity
    fresh: bool
    continuation: Continuation
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ..., private_context: _Optional[_Union[PrivateContext, _Mapping]] = ..., priority: _Optional[_Union[Priority, str]] = ..., wishes: _Optional[_Union[RouteWishes, _Mapping]] = ..., sensitivity: _Optional[_Union[Sensitivity, str]] = ..., fresh: _Optional[bool] = ..., continuation: _Optional[_Union[Continuation, _Mapping]] = ...) -> None: ...

class RouteWishes(_message.Message):
    __slots__ = ("models", "regions", "quality_min", "cost_max", "co2e_mg_max", "latency_ms_max", "steady")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_MIN_FIELD_NUMBER: _ClassVar[int]
    COST_MAX_FIELD_NUMBER: _ClassVar[int]
    CO2E_MG_MAX_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_MAX_FIELD_NUMBER: _ClassVar[int]
    STEADY_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedScalarFieldContainer[str]
    regions: _containers.RepeatedScalarFieldContainer[str]
    quality_min: float
    cost_max: float
    co2e_mg_max: float
    latency_ms_max: float
    steady: bool
    def __init__(self, models: _Optional[_Iterable[str]] = ..., regions: _Optional[_Iterable[str]] = ..., quality_min: _Optional[float] = ..., cost_max: _Optional[float] = ..., co2e_mg_max: _Optional[float] = ..., latency_ms_max: _Optional[float] = ..., steady: _Optional[bool] = ...) -> None: ...

class Continuation(_message.Message):
    __slots__ = ("token_ids", "text_bytes")
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    text_bytes: int
    def __init__(self, token_ids: _Optional[_Iterable[int]] = ..., text_bytes: _Optional[int] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: Role
    content: str
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., content: _Optional[str] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("tokens_max", "temperature", "top_k", "top_p", "seed", "stop", "repetition_penalty", "logprobs", "answers", "beams")
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    BEAMS_FIELD_NUMBER: _ClassVar[int]
    tokens_max: int
    temperature: float
    top_k: int
    top_p: float
    seed: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    repetition_penalty: float
    logprobs: int
    answers: int
    beams: int
    def __init__(self, tokens_max: _Optional[int] = ..., temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., seed: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., repetition_penalty: _Optional[float] = ..., logprobs: _Optional[int] = ..., answers: _Optional[int] = ..., beams: _Optional[int] = ...) -> None: ...

class PrivateContext(_message.Message):
    __slots__ = ("dataset", "policy", "selection", "records", "grant", "dataset_version", "fresh")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    DATASET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    policy: str
    selection: Selection
    records: _containers.RepeatedCompositeFieldContainer[Record]
    grant: PrivacyGrant
    dataset_version: str
    fresh: bool
    def __init__(self, dataset: _Optional[str] = ..., policy: _Optional[str] = ..., selection: _Optional[_Union[Selection, str]] = ..., records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., grant: _Optional[_Union[PrivacyGrant, _Mapping]] = ..., dataset_version: _Optional[str] = ..., fresh: _Optional[bool] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("id", "text", "batch")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: bytes
    batch: str
    def __init__(self, id: _Optional[str] = ..., text: _Optional[bytes] = ..., batch: _Optional[str] = ...) -> None: ...

class PrivacyGrant(_message.Message):
    __slots__ = ("reservation", "parameters", "token_charge_units", "tokens_granted")
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_CHARGE_UNITS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_GRANTED_FIELD_NUMBER: _ClassVar[int]
    reservation: str
    parameters: PrivacyParameters
    token_charge_units: int
    tokens_granted: int
    def __init__(self, reservation: _Optional[str] = ..., parameters: _Optional[_Union[PrivacyParameters, _Mapping]] = ..., token_charge_units: _Optional[int] = ..., tokens_granted: _Optional[int] = ...) -> None: ...

class PrivacyParameters(_message.Message):
    __slots__ = ("slots", "clip", "temperature", "top_k", "tokens_max", "row_tokens_max", "multiplier", "records_per_subject")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    CLIP_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    ROW_TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    RECORDS_PER_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    slots: int
    clip: str
    temperature: str
    top_k: int
    tokens_max: int
    row_tokens_max: int
    multiplier: int
    records_per_subject: int
    def __init__(self, slots: _Optional[int] = ..., clip: _Optional[str] = ..., temperature: _Optional[str] = ..., top_k: _Optional[int] = ..., tokens_max: _Optional[int] = ..., row_tokens_max: _Optional[int] = ..., multiplier: _Optional[int] = ..., records_per_subject: _Optional[int] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("node", "model", "reservation", "source", "sensitivity")
    NODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    node: str
    model: str
    reservation: str
    source: AnswerSource
    sensitivity: Sensitivity
    def __init__(self, node: _Optional[str] = ..., model: _Optional[str] = ..., reservation: _Optional[str] = ..., source: _Optional[_Union[AnswerSource, str]] = ..., sensitivity: _Optional[_Union[Sensitivity, str]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("text", "token_ids", "logprobs")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    text: str
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    logprobs: _containers.RepeatedCompositeFieldContainer[TokenLogprob]
    def __init__(self, text: _Optional[str] = ..., token_ids: _Optional[_Iterable[int]] = ..., logprobs: _Optional[_Iterable[_Union[TokenLogprob, _Mapping]]] = ...) -> None: ...

class TokenLogprob(_message.Message):
    __slots__ = ("token_id", "logprob", "alternatives")
    class Alternative(_message.Message):
        __slots__ = ("token_id", "logprob")
        TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
        LOGPROB_FIELD_NUMBER: _ClassVar[int]
        token_id: int
        logprob: float
        def __init__(self, token_id: _Optional[int] = ..., logprob: _Optional[float] = ...) -> None: ...
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    token_id: int
    logprob: float
    alternatives: _containers.RepeatedCompositeFieldContainer[TokenLogprob.Alternative]
    def __init__(self, token_id: _Optional[int] = ..., logprob: _Optional[float] = ..., alternatives: _Optional[_Iterable[_Union[TokenLogprob.Alternative, _Mapping]]] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("reason", "prompt_tokens", "completion_tokens", "charge", "prompt_tokens_cached", "footprint", "resumptions")
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_CACHED_FIELD_NUMBER: _ClassVar[int]
    FOOTPRINT_FIELD_NUMBER: _ClassVar[int]
    RESUMPTIONS_FIELD_NUMBER: _ClassVar[int]
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    charge: Charge
    prompt_tokens_cached: int
    footprint: Footprint
    resumptions: int
    def __init__(self, reason: _Optional[_Union[FinishReason, str]] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., charge: _Optional[_Union[Charge, _Mapping]] = ..., prompt_tokens_cached: _Optional[int] = ..., footprint: _Optional[_Union[Footprint, _Mapping]] = ..., resumptions: _Optional[int] = ...) -> None: ...

class Footprint(_message.Message):
    __slots__ = ("joules", "co2e_mg", "cost", "energy_basis", "carbon_intensity")
    JOULES_FIELD_NUMBER: _ClassVar[int]
    CO2E_MG_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ENERGY_BASIS_FIELD_NUMBER: _ClassVar[int]
    CARBON_INTENSITY_FIELD_NUMBER: _ClassVar[int]
    joules: float
    co2e_mg: float
    cost: float
    energy_basis: EnergyBasis
    carbon_intensity: float
    def __init__(self, joules: _Optional[float] = ..., co2e_mg: _Optional[float] = ..., cost: _Optional[float] = ..., energy_basis: _Optional[_Union[EnergyBasis, str]] = ..., carbon_intensity: _Optional[float] = ...) -> None: ...

class Charge(_message.Message):
    __slots__ = ("tokens", "units", "accounts")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    units: int
    accounts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tokens: _Optional[int] = ..., units: _Optional[int] = ..., accounts: _Optional[_Iterable[str]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "context_tokens_max", "private_support", "nodes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    name: str
    context_tokens_max: int
    private_support: PrivateSupport
    nodes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., context_tokens_max: _Optional[int] = ..., private_support: _Optional[_Union[PrivateSupport, str]] = ..., nodes: _Optional[_Iterable[str]] = ...) -> None: ...
