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
    __slots__ = ("strategy", "priors_revision", "candidates", "node", "model", "models", "features", "pattern", "sensitivity", "personal_data", "counterfactuals")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PRIORS_REVISION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_DATA_FIELD_NUMBER: _ClassVar[int]
    COUNTERFACTUALS_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    priors_revision: int
    candidates: _containers.RepeatedCompositeFieldContainer[RouteCandidate]
    node: str
    model: str
    models: _containers.RepeatedCompositeFieldContainer[ModelExpectation]
    features: _containers.RepeatedCompositeFieldContainer[PromptFeature]
    pattern: str
    sensitivity: _inference_pb2.Sensitivity
    personal_data: _containers.RepeatedScalarFieldContainer[str]
    counterfactuals: _containers.RepeatedCompositeFieldContainer[Counterfactual]
    def __init__(self, strategy: _Optional[str] = ..., priors_revision: _Optional[int] = ..., candidates: _Optional[_Iterable[_Union[RouteCandidate, _Mapping]]] = ..., node: _Optional[str] = ..., model: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelExpectation, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[PromptFeature, _Mapping]]] = ..., pattern: _Optional[str] = ..., sensitivity: _Optional[_Union[_inference_pb2.Sensitivity, str]] = ..., personal_data: _Optional[_Iterable[str]] = ..., counterfactuals: _Optional[_Iterable[_Union[Counterfactual, _Mapping]]] = ...) -> None: ...

class ModelExpectation(_message.Message):
    __slots__ = ("model", "quality", "quality_deviation", "latency_ms", "cost", "co2e_mg", "utility", "exploration", "rejected_by", "local_share")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    QUALITY_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CO2E_MG_FIELD_NUMBER: _ClassVar[int]
    UTILITY_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    REJECTED_BY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SHARE_FIELD_NUMBER: _ClassVar[int]
    model: str
    quality: float
    quality_deviation: float
    latency_ms: float
    cost: float
    co2e_mg: float
    utility: float
    exploration: float
    rejected_by: str
    local_share: float
    def __init__(self, model: _Optional[str] = ..., quality: _Optional[float] = ..., quality_deviation: _Optional[float] = ..., latency_ms: _Optional[float] = ..., cost: _Optional[float] = ..., co2e_mg: _Optional[float] = ..., utility: _Optional[float] = ..., exploration: _Optional[float] = ..., rejected_by: _Optional[str] = ..., local_share: _Optional[float] = ...) -> None: ...

class PromptFeature(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class Counterfactual(_message.Message):
    __slots__ = ("without", "node", "model")
    WITHOUT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    without: str
    node: str
    model: str
    def __init__(self, without: _Optional[str] = ..., node: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class ReportOutcomeRequest(_message.Message):
    __slots__ = ("request_id", "rating", "success", "judge")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rating: float
    success: bool
    judge: float
    def __init__(self, request_id: _Optional[str] = ..., rating: _Optional[float] = ..., success: _Optional[bool] = ..., judge: _Optional[float] = ...) -> None: ...

class ReportOutcomeResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class ListStrategiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListStrategiesResponse(_message.Message):
    __slots__ = ("strategies",)
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    strategies: _containers.RepeatedCompositeFieldContainer[Strategy]
    def __init__(self, strategies: _Optional[_Iterable[_Union[Strategy, _Mapping]]] = ...) -> None: ...

class Strategy(_message.Message):
    __slots__ = ("name", "description", "filters", "scorers", "picker", "in_force")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    SCORERS_FIELD_NUMBER: _ClassVar[int]
    PICKER_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    filters: _containers.RepeatedScalarFieldContainer[str]
    scorers: _containers.RepeatedCompositeFieldContainer[RouteScore]
    picker: str
    in_force: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., filters: _Optional[_Iterable[str]] = ..., scorers: _Optional[_Iterable[_Union[RouteScore, _Mapping]]] = ..., picker: _Optional[str] = ..., in_force: _Optional[bool] = ...) -> None: ...

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
