import datetime

from federated_router.api.v1 import inference_pb2 as _inference_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRouteRequest(_message.Message):
    __slots__ = ("generation",)
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    generation: _inference_pb2.Generation
    def __init__(self, generation: _Optional[_Union[_inference_pb2.Generation, _Mapping]] = ...) -> None: ...

class ExplainRouteResponse(_message.Message):
    __slots__ = ("strategy", "priors_revision", "candidates", "node", "model")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PRIORS_REVISION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    priors_revision: int
    candidates: _containers.RepeatedCompositeFieldContainer[RouteCandidate]
    node: str
    model: str
    def __init__(self, strategy: _Optional[str] = ..., priors_revision: _Optional[int] = ..., candidates: _Optional[_Iterable[_Union[RouteCandidate, _Mapping]]] = ..., node: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class RouteCandidate(_message.Message):
    __slots__ = ("node", "model", "score", "scores", "rejected_by")
    NODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    REJECTED_BY_FIELD_NUMBER: _ClassVar[int]
    node: str
    model: str
    score: float
    scores: _containers.RepeatedCompositeFieldContainer[RouteScore]
    rejected_by: str
    def __init__(self, node: _Optional[str] = ..., model: _Optional[str] = ..., score: _Optional[float] = ..., scores: _Optional[_Iterable[_Union[RouteScore, _Mapping]]] = ..., rejected_by: _Optional[str] = ...) -> None: ...

class RouteScore(_message.Message):
    __slots__ = ("scorer", "score", "weight")
    SCORER_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    scorer: str
    score: float
    weight: float
    def __init__(self, scorer: _Optional[str] = ..., score: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...

class GetStrategyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStrategyResponse(_message.Message):
    __slots__ = ("strategy", "available")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    available: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, strategy: _Optional[str] = ..., available: _Optional[_Iterable[str]] = ...) -> None: ...

class SetStrategyRequest(_message.Message):
    __slots__ = ("strategy",)
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    def __init__(self, strategy: _Optional[str] = ...) -> None: ...

class SetStrategyResponse(_message.Message):
    __slots__ = ("strategy",)
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    def __init__(self, strategy: _Optional[str] = ...) -> None: ...

class GetAppliedPriorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAppliedPriorsResponse(_message.Message):
    __slots__ = ("priors",)
    PRIORS_FIELD_NUMBER: _ClassVar[int]
    priors: AppliedPriors
    def __init__(self, priors: _Optional[_Union[AppliedPriors, _Mapping]] = ...) -> None: ...

class ApplyPriorsRequest(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ApplyPriorsResponse(_message.Message):
    __slots__ = ("priors",)
    PRIORS_FIELD_NUMBER: _ClassVar[int]
    priors: AppliedPriors
    def __init__(self, priors: _Optional[_Union[AppliedPriors, _Mapping]] = ...) -> None: ...

class AppliedPriors(_message.Message):
    __slots__ = ("revision", "pinned", "kept")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    pinned: bool
    kept: _containers.RepeatedCompositeFieldContainer[KeptPriors]
    def __init__(self, revision: _Optional[int] = ..., pinned: _Optional[bool] = ..., kept: _Optional[_Iterable[_Union[KeptPriors, _Mapping]]] = ...) -> None: ...

class KeptPriors(_message.Message):
    __slots__ = ("revision", "round", "create_time", "members")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    round: str
    create_time: _timestamp_pb2.Timestamp
    members: int
    def __init__(self, revision: _Optional[int] = ..., round: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., members: _Optional[int] = ...) -> None: ...
