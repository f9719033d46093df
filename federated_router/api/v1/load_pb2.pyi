import datetime

from federated_router.api.v1 import registry_pb2 as _registry_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetLoadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetLoadResponse(_message.Message):
    __slots__ = ("strategy", "priors_revision", "nodes", "admission", "cache", "window")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PRIORS_REVISION_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    ADMISSION_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    priors_revision: int
    nodes: _containers.RepeatedCompositeFieldContainer[NodeActivity]
    admission: AdmissionActivity
    cache: CacheActivity
    window: _duration_pb2.Duration
    def __init__(self, strategy: _Optional[str] = ..., priors_revision: _Optional[int] = ..., nodes: _Optional[_Iterable[_Union[NodeActivity, _Mapping]]] = ..., admission: _Optional[_Union[AdmissionActivity, _Mapping]] = ..., cache: _Optional[_Union[CacheActivity, _Mapping]] = ..., window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class NodeActivity(_message.Message):
    __slots__ = ("node", "state", "breaker", "requests_in_flight", "slots", "requests_per_second", "tokens_per_second", "failure_ratio", "first_token_ms_p50", "first_token_ms_p99", "prompt_cached_ratio")
    class Breaker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BREAKER_UNSPECIFIED: _ClassVar[NodeActivity.Breaker]
        BREAKER_CLOSED: _ClassVar[NodeActivity.Breaker]
        BREAKER_OPEN: _ClassVar[NodeActivity.Breaker]
        BREAKER_HALF_OPEN: _ClassVar[NodeActivity.Breaker]
    BREAKER_UNSPECIFIED: NodeActivity.Breaker
    BREAKER_CLOSED: NodeActivity.Breaker
    BREAKER_OPEN: NodeActivity.Breaker
    BREAKER_HALF_OPEN: NodeActivity.Breaker
    NODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    FAILURE_RATIO_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_MS_P50_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_MS_P99_FIELD_NUMBER: _ClassVar[int]
    PROMPT_CACHED_RATIO_FIELD_NUMBER: _ClassVar[int]
    node: str
    state: _registry_pb2.Node.State
    breaker: NodeActivity.Breaker
    requests_in_flight: int
    slots: int
    requests_per_second: float
    tokens_per_second: float
    failure_ratio: float
    first_token_ms_p50: float
    first_token_ms_p99: float
    prompt_cached_ratio: float
    def __init__(self, node: _Optional[str] = ..., state: _Optional[_Union[_registry_pb2.Node.State, str]] = ..., breaker: _Optional[_Union[NodeActivity.Breaker, str]] = ..., requests_in_flight: _Optional[int] = ..., slots: _Optional[int] = ..., requests_per_second: _Optional[float] = ..., tokens_per_second: _Optional[float] = ..., failure_ratio: _Optional[float] = ..., first_token_ms_p50: _Optional[float] = ..., first_token_ms_p99: _Optional[float] = ..., prompt_cached_ratio: _Optional[float] = ...) -> None: ...

class AdmissionActivity(_message.Message):
    __slots__ = ("requests_running", "requests_waiting", "saturation", "requests_shed", "requests_rate_limited", "tenants")
    REQUESTS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_WAITING_FIELD_NUMBER: _ClassVar[int]
    SATURATION_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_SHED_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_RATE_LIMITED_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    requests_running: int
    requests_waiting: int
    saturation: float
    requests_shed: int
    requests_rate_limited: int
    tenants: int
    def __init__(self, requests_running: _Optional[int] = ..., requests_waiting: _Optional[int] = ..., saturation: _Optional[float] = ..., requests_shed: _Optional[int] = ..., requests_rate_limited: _Optional[int] = ..., tenants: _Optional[int] = ...) -> None: ...

class CacheActivity(_message.Message):
    __slots__ = ("tiers", "hits", "misses")
    TIERS_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    MISSES_FIELD_NUMBER: _ClassVar[int]
    tiers: _containers.RepeatedCompositeFieldContainer[CacheTier]
    hits: int
    misses: int
    def __init__(self, tiers: _Optional[_Iterable[_Union[CacheTier, _Mapping]]] = ..., hits: _Optional[int] = ..., misses: _Optional[int] = ...) -> None: ...

class CacheTier(_message.Message):
    __slots__ = ("name", "entries", "bytes", "bytes_max", "hits")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    name: str
    entries: int
    bytes: int
    bytes_max: int
    hits: int
    def __init__(self, name: _Optional[str] = ..., entries: _Optional[int] = ..., bytes: _Optional[int] = ..., bytes_max: _Optional[int] = ..., hits: _Optional[int] = ...) -> None: ...

class GetScalingAdviceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetScalingAdviceResponse(_message.Message):
    __slots__ = ("advice",)
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    advice: _containers.RepeatedCompositeFieldContainer[ScalingAdvice]
    def __init__(self, advice: _Optional[_Iterable[_Union[ScalingAdvice, _Mapping]]] = ...) -> None: ...

class ScalingAdvice(_message.Message):
    __slots__ = ("model", "nodes", "nodes_to_add", "reason", "arrivals_per_second", "service_seconds", "utilisation", "wait_seconds", "wait_seconds_advised")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    NODES_TO_ADD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ARRIVALS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    SERVICE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UTILISATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_ADVISED_FIELD_NUMBER: _ClassVar[int]
    model: str
    nodes: int
    nodes_to_add: int
    reason: str
    arrivals_per_second: float
    service_seconds: float
    utilisation: float
    wait_seconds: float
    wait_seconds_advised: float
    def __init__(self, model: _Optional[str] = ..., nodes: _Optional[int] = ..., nodes_to_add: _Optional[int] = ..., reason: _Optional[str] = ..., arrivals_per_second: _Optional[float] = ..., service_seconds: _Optional[float] = ..., utilisation: _Optional[float] = ..., wait_seconds: _Optional[float] = ..., wait_seconds_advised: _Optional[float] = ...) -> None: ...

class ListFootprintsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFootprintsResponse(_message.Message):
    __slots__ = ("footprints", "next_page_token")
    FOOTPRINTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    footprints: _containers.RepeatedCompositeFieldContainer[TenantFootprint]
    next_page_token: str
    def __init__(self, footprints: _Optional[_Iterable[_Union[TenantFootprint, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TenantFootprint(_message.Message):
    __slots__ = ("tenant", "answers", "joules", "co2e_mg", "joules_without_intensity", "cost", "answers_cached")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    JOULES_FIELD_NUMBER: _ClassVar[int]
    CO2E_MG_FIELD_NUMBER: _ClassVar[int]
    JOULES_WITHOUT_INTENSITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_CACHED_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    answers: int
    joules: float
    co2e_mg: float
    joules_without_intensity: float
    cost: float
    answers_cached: int
    def __init__(self, tenant: _Optional[str] = ..., answers: _Optional[int] = ..., joules: _Optional[float] = ..., co2e_mg: _Optional[float] = ..., joules_without_intensity: _Optional[float] = ..., cost: _Optional[float] = ..., answers_cached: _Optional[int] = ...) -> None: ...
