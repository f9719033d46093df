import datetime

from federated_router.api.v1 import priors_pb2 as _priors_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DaemonState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DAEMON_STATE_UNSPECIFIED: _ClassVar[DaemonState]
    DAEMON_STATE_STARTING: _ClassVar[DaemonState]
    DAEMON_STATE_SERVING: _ClassVar[DaemonState]
    DAEMON_STATE_DRAINING: _ClassVar[DaemonState]

class LogLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_LEVEL_UNSPECIFIED: _ClassVar[LogLevel]
    LOG_LEVEL_DEBUG: _ClassVar[LogLevel]
    LOG_LEVEL_INFO: _ClassVar[LogLevel]
    LOG_LEVEL_WARNING: _ClassVar[LogLevel]
    LOG_LEVEL_ERROR: _ClassVar[LogLevel]

class LatencyMeasure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LATENCY_MEASURE_UNSPECIFIED: _ClassVar[LatencyMeasure]
    LATENCY_MEASURE_TIME_PER_TOKEN: _ClassVar[LatencyMeasure]
    LATENCY_MEASURE_TIME_TO_FIRST_TOKEN: _ClassVar[LatencyMeasure]
    LATENCY_MEASURE_TIME_PER_OUTPUT_TOKEN: _ClassVar[LatencyMeasure]
DAEMON_STATE_UNSPECIFIED: DaemonState
DAEMON_STATE_STARTING: DaemonState
DAEMON_STATE_SERVING: DaemonState
DAEMON_STATE_DRAINING: DaemonState
LOG_LEVEL_UNSPECIFIED: LogLevel
LOG_LEVEL_DEBUG: LogLevel
LOG_LEVEL_INFO: LogLevel
LOG_LEVEL_WARNING: LogLevel
LOG_LEVEL_ERROR: LogLevel
LATENCY_MEASURE_UNSPECIFIED: LatencyMeasure
LATENCY_MEASURE_TIME_PER_TOKEN: LatencyMeasure
LATENCY_MEASURE_TIME_TO_FIRST_TOKEN: LatencyMeasure
LATENCY_MEASURE_TIME_PER_OUTPUT_TOKEN: LatencyMeasure

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("role", "id", "version", "state", "uptime_duration", "resident_memory_bytes", "configuration_json")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    UPTIME_DURATION_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_JSON_FIELD_NUMBER: _ClassVar[int]
    role: str
    id: str
    version: str
    state: DaemonState
    uptime_duration: _duration_pb2.Duration
    resident_memory_bytes: int
    configuration_json: str
    def __init__(self, role: _Optional[str] = ..., id: _Optional[str] = ..., version: _Optional[str] = ..., state: _Optional[_Union[DaemonState, str]] = ..., uptime_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., resident_memory_bytes: _Optional[int] = ..., configuration_json: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: DaemonState
    def __init__(self, state: _Optional[_Union[DaemonState, str]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: DaemonState
    def __init__(self, state: _Optional[_Union[DaemonState, str]] = ...) -> None: ...

class SetLogLevelRequest(_message.Message):
    __slots__ = ("level",)
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    level: LogLevel
    def __init__(self, level: _Optional[_Union[LogLevel, str]] = ...) -> None: ...

class SetLogLevelResponse(_message.Message):
    __slots__ = ("level",)
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    level: LogLevel
    def __init__(self, level: _Optional[_Union[LogLevel, str]] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ("performance", "latency_bounds_ms", "patterns", "latency_shapes", "requests", "units", "served")
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BOUNDS_MS_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_SHAPES_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    performance: _containers.RepeatedCompositeFieldContainer[_priors_pb2.PerformancePrior]
    latency_bounds_ms: _containers.RepeatedScalarFieldContainer[float]
    patterns: _containers.RepeatedCompositeFieldContainer[_priors_pb2.PatternPrior]
    latency_shapes: _containers.RepeatedCompositeFieldContainer[LatencyShape]
    requests: RequestBalance
    units: StatisticsUnits
    served: _containers.RepeatedCompositeFieldContainer[ServedRequests]
    def __init__(self, performance: _Optional[_Iterable[_Union[_priors_pb2.PerformancePrior, _Mapping]]] = ..., latency_bounds_ms: _Optional[_Iterable[float]] = ..., patterns: _Optional[_Iterable[_Union[_priors_pb2.PatternPrior, _Mapping]]] = ..., latency_shapes: _Optional[_Iterable[_Union[LatencyShape, _Mapping]]] = ..., requests: _Optional[_Union[RequestBalance, _Mapping]] = ..., units: _Optional[_Union[StatisticsUnits, _Mapping]] = ..., served: _Optional[_Iterable[_Union[ServedRequests, _Mapping]]] = ...) -> None: ...

class ServedRequests(_message.Message):
    __slots__ = ("model", "region", "tier", "endings", "prompt_tokens", "prompt_tokens_cached", "output_tokens", "cost", "energy", "co2e_g", "time_to_first_token_mean_ms", "time_per_output_token_mean_ms", "duration_mean_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    ENDINGS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_CACHED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ENERGY_FIELD_NUMBER: _ClassVar[int]
    CO2E_G_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_MEAN_MS_FIELD_NUMBER: _ClassVar[int]
    TIME_PER_OUTPUT_TOKEN_MEAN_MS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MEAN_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    region: str
    tier: str
    endings: _containers.RepeatedCompositeFieldContainer[EndingCount]
    prompt_tokens: int
    prompt_tokens_cached: int
    output_tokens: int
    cost: float
    energy: _containers.RepeatedCompositeFieldContainer[EnergyAmount]
    co2e_g: float
    time_to_first_token_mean_ms: float
    time_per_output_token_mean_ms: float
    duration_mean_ms: float
    def __init__(self, model: _Optional[str] = ..., region: _Optional[str] = ..., tier: _Optional[str] = ..., endings: _Optional[_Iterable[_Union[EndingCount, _Mapping]]] = ..., prompt_tokens: _Optional[int] = ..., prompt_tokens_cached: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cost: _Optional[float] = ..., energy: _Optional[_Iterable[_Union[EnergyAmount, _Mapping]]] = ..., co2e_g: _Optional[float] = ..., time_to_first_token_mean_ms: _Optional[float] = ..., time_per_output_token_mean_ms: _Optional[float] = ..., duration_mean_ms: _Optional[float] = ...) -> None: ...

class EndingCount(_message.Message):
    __slots__ = ("ending", "requests")
    ENDING_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ending: str
    requests: int
    def __init__(self, ending: _Optional[str] = ..., requests: _Optional[int] = ...) -> None: ...

class EnergyAmount(_message.Message):
    __slots__ = ("source", "energy_j")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ENERGY_J_FIELD_NUMBER: _ClassVar[int]
    source: str
    energy_j: float
    def __init__(self, source: _Optional[str] = ..., energy_j: _Optional[float] = ...) -> None: ...

class LatencyShape(_message.Message):
    __slots__ = ("model", "region", "tier", "samples", "statistic", "p_value", "multimodal", "measure", "p50_ms", "p95_ms", "p99_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    STATISTIC_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    MULTIMODAL_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    P50_MS_FIELD_NUMBER: _ClassVar[int]
    P95_MS_FIELD_NUMBER: _ClassVar[int]
    P99_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    region: str
    tier: str
    samples: int
    statistic: float
    p_value: float
    multimodal: bool
    measure: LatencyMeasure
    p50_ms: float
    p95_ms: float
    p99_ms: float
    def __init__(self, model: _Optional[str] = ..., region: _Optional[str] = ..., tier: _Optional[str] = ..., samples: _Optional[int] = ..., statistic: _Optional[float] = ..., p_value: _Optional[float] = ..., multimodal: _Optional[bool] = ..., measure: _Optional[_Union[LatencyMeasure, str]] = ..., p50_ms: _Optional[float] = ..., p95_ms: _Optional[float] = ..., p99_ms: _Optional[float] = ...) -> None: ...

class RequestBalance(_message.Message):
    __slots__ = ("recorded", "pending", "frozen", "published", "discarded", "clipped", "lost")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    pending: int
    frozen: int
    published: int
    discarded: int
    clipped: int
    lost: int
    def __init__(self, recorded: _Optional[int] = ..., pending: _Optional[int] = ..., frozen: _Optional[int] = ..., published: _Optional[int] = ..., discarded: _Optional[int] = ..., clipped: _Optional[int] = ..., lost: _Optional[int] = ...) -> None: ...

class StatisticsUnits(_message.Message):
    __slots__ = ("token", "cost", "energy_j", "carbon_g_per_kwh", "energy_source")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ENERGY_J_FIELD_NUMBER: _ClassVar[int]
    CARBON_G_PER_KWH_FIELD_NUMBER: _ClassVar[int]
    ENERGY_SOURCE_FIELD_NUMBER: _ClassVar[int]
    token: float
    cost: float
    energy_j: float
    carbon_g_per_kwh: float
    energy_source: str
    def __init__(self, token: _Optional[float] = ..., cost: _Optional[float] = ..., energy_j: _Optional[float] = ..., carbon_g_per_kwh: _Optional[float] = ..., energy_source: _Optional[str] = ...) -> None: ...
