import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Catalogue(_message.Message):
    __slots__ = ("version", "models", "regions", "latency_bounds_ms", "slot_max")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BOUNDS_MS_FIELD_NUMBER: _ClassVar[int]
    SLOT_MAX_FIELD_NUMBER: _ClassVar[int]
    version: int
    models: _containers.RepeatedScalarFieldContainer[str]
    regions: _containers.RepeatedScalarFieldContainer[str]
    latency_bounds_ms: _containers.RepeatedScalarFieldContainer[float]
    slot_max: int
    def __init__(self, version: _Optional[int] = ..., models: _Optional[_Iterable[str]] = ..., regions: _Optional[_Iterable[str]] = ..., latency_bounds_ms: _Optional[_Iterable[float]] = ..., slot_max: _Optional[int] = ...) -> None: ...

class Priors(_message.Message):
    __slots__ = ("revision", "round", "create_time", "catalogue", "members", "noise_standard_deviation", "performance")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NOISE_STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    revision: int
    round: str
    create_time: _timestamp_pb2.Timestamp
    catalogue: Catalogue
    members: int
    noise_standard_deviation: float
    performance: _containers.RepeatedCompositeFieldContainer[PerformancePrior]
    def __init__(self, revision: _Optional[int] = ..., round: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catalogue: _Optional[_Union[Catalogue, _Mapping]] = ..., members: _Optional[int] = ..., noise_standard_deviation: _Optional[float] = ..., performance: _Optional[_Iterable[_Union[PerformancePrior, _Mapping]]] = ...) -> None: ...

class PerformancePrior(_message.Message):
    __slots__ = ("model", "region", "latency_counts", "failures")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    LATENCY_COUNTS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    model: str
    region: str
    latency_counts: _containers.RepeatedScalarFieldContainer[int]
    failures: int
    def __init__(self, model: _Optional[str] = ..., region: _Optional[str] = ..., latency_counts: _Optional[_Iterable[int]] = ..., failures: _Optional[int] = ...) -> None: ...

class GetPriorsRequest(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class GetPriorsResponse(_message.Message):
    __slots__ = ("priors",)
    PRIORS_FIELD_NUMBER: _ClassVar[int]
    priors: Priors
    def __init__(self, priors: _Optional[_Union[Priors, _Mapping]] = ...) -> None: ...

class WatchPriorsRequest(_message.Message):
    __slots__ = ("after_revision",)
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    after_revision: int
    def __init__(self, after_revision: _Optional[int] = ...) -> None: ...

class WatchPriorsResponse(_message.Message):
    __slots__ = ("priors",)
    PRIORS_FIELD_NUMBER: _ClassVar[int]
    priors: Priors
    def __init__(self, priors: _Optional[_Union[Priors, _Mapping]] = ...) -> None: ...
