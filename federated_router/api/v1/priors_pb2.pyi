import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Catalogue(_message.Message):
    __slots__ = ("version", "models", "regions", "latency_bounds_ms", "slot_max", "tiers", "blocks", "token_unit", "cost_unit", "energy_unit_j", "carbon_unit_g_per_kwh", "patterns", "features_version", "features", "feature_norm_squared", "reward_max", "requests_per_user_max", "samples_min", "patterns_version")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BOUNDS_MS_FIELD_NUMBER: _ClassVar[int]
    SLOT_MAX_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_UNIT_FIELD_NUMBER: _ClassVar[int]
    COST_UNIT_FIELD_NUMBER: _ClassVar[int]
    ENERGY_UNIT_J_FIELD_NUMBER: _ClassVar[int]
    CARBON_UNIT_G_PER_KWH_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_NORM_SQUARED_FIELD_NUMBER: _ClassVar[int]
    REWARD_MAX_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_USER_MAX_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_MIN_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    models: _containers.RepeatedScalarFieldContainer[str]
    regions: _containers.RepeatedScalarFieldContainer[str]
    latency_bounds_ms: _containers.RepeatedScalarFieldContainer[float]
    slot_max: int
    tiers: _containers.RepeatedScalarFieldContainer[str]
    blocks: _containers.RepeatedScalarFieldContainer[str]
    token_unit: float
    cost_unit: float
    energy_unit_j: float
    carbon_unit_g_per_kwh: float
    patterns: _containers.RepeatedScalarFieldContainer[str]
    features_version: int
    features: int
    feature_norm_squared: int
    reward_max: int
    requests_per_user_max: int
    samples_min: int
    patterns_version: int
    def __init__(self, version: _Optional[int] = ..., models: _Optional[_Iterable[str]] = ..., regions: _Optional[_Iterable[str]] = ..., latency_bounds_ms: _Optional[_Iterable[float]] = ..., slot_max: _Optional[int] = ..., tiers: _Optional[_Iterable[str]] = ..., blocks: _Optional[_Iterable[str]] = ..., token_unit: _Optional[float] = ..., cost_unit: _Optional[float] = ..., energy_unit_j: _Optional[float] = ..., carbon_unit_g_per_kwh: _Optional[float] = ..., patterns: _Optional[_Iterable[str]] = ..., features_version: _Optional[int] = ..., features: _Optional[int] = ..., feature_norm_squared: _Optional[int] = ..., reward_max: _Optional[int] = ..., requests_per_user_max: _Optional[int] = ..., samples_min: _Optional[int] = ..., patterns_version: _Optional[int] = ...) -> None: ...

class Priors(_message.Message):
    __slots__ = ("revision", "round", "create_time", "catalogue", "members", "noise_standard_deviation", "performance", "noise", "patterns", "carbon", "bandits", "holdout", "withdrawn_revision")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NOISE_STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    CARBON_FIELD_NUMBER: _ClassVar[int]
    BANDITS_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    round: str
    create_time: _timestamp_pb2.Timestamp
    catalogue: Catalogue
    members: int
    noise_standard_deviation: float
    performance: _containers.RepeatedCompositeFieldContainer[PerformancePrior]
    noise: _containers.RepeatedCompositeFieldContainer[BlockNoise]
    patterns: _containers.RepeatedCompositeFieldContainer[PatternPrior]
    carbon: _containers.RepeatedCompositeFieldContainer[CarbonPrior]
    bandits: _containers.RepeatedCompositeFieldContainer[BanditPrior]
    holdout: HoldoutPrior
    withdrawn_revision: int
    def __init__(self, revision: _Optional[int] = ..., round: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catalogue: _Optional[_Union[Catalogue, _Mapping]] = ..., members: _Optional[int] = ..., noise_standard_deviation: _Optional[float] = ..., performance: _Optional[_Iterable[_Union[PerformancePrior, _Mapping]]] = ..., noise: _Optional[_Iterable[_Union[BlockNoise, _Mapping]]] = ..., patterns: _Optional[_Iterable[_Union[PatternPrior, _Mapping]]] = ..., carbon: _Optional[_Iterable[_Union[CarbonPrior, _Mapping]]] = ..., bandits: _Optional[_Iterable[_Union[BanditPrior, _Mapping]]] = ..., holdout: _Optional[_Union[HoldoutPrior, _Mapping]] = ..., withdrawn_revision: _Optional[int] = ...) -> None: ...

class BlockNoise(_message.Message):
    __slots__ = ("block", "unit_standard_deviation", "quantities")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    UNIT_STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    block: str
    unit_standard_deviation: float
    quantities: _containers.RepeatedCompositeFieldContainer[QuantityNoise]
    def __init__(self, block: _Optional[str] = ..., unit_standard_deviation: _Optional[float] = ..., quantities: _Optional[_Iterable[_Union[QuantityNoise, _Mapping]]] = ...) -> None: ...

class QuantityNoise(_message.Message):
    __slots__ = ("quantity", "standard_deviation")
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    quantity: str
    standard_deviation: float
    def __init__(self, quantity: _Optional[str] = ..., standard_deviation: _Optional[float] = ...) -> None: ...

class PerformancePrior(_message.Message):
    __slots__ = ("model", "region", "latency_counts", "failures", "tier", "tokens", "cost", "energy", "weight", "weighted_latency")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    LATENCY_COUNTS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    ENERGY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTED_LATENCY_FIELD_NUMBER: _ClassVar[int]
    model: str
    region: str
    latency_counts: _containers.RepeatedScalarFieldContainer[int]
    failures: int
    tier: str
    tokens: int
    cost: int
    energy: int
    weight: int
    weighted_latency: int
    def __init__(self, model: _Optional[str] = ..., region: _Optional[str] = ..., latency_counts: _Optional[_Iterable[int]] = ..., failures: _Optional[int] = ..., tier: _Optional[str] = ..., tokens: _Optional[int] = ..., cost: _Optional[int] = ..., energy: _Optional[int] = ..., weight: _Optional[int] = ..., weighted_latency: _Optional[int] = ...) -> None: ...

class PatternPrior(_message.Message):
    __slots__ = ("pattern", "model", "successes", "failures")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SUCCESSES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    model: str
    successes: int
    failures: int
    def __init__(self, pattern: _Optional[str] = ..., model: _Optional[str] = ..., successes: _Optional[int] = ..., failures: _Optional[int] = ...) -> None: ...

class CarbonPrior(_message.Message):
    __slots__ = ("region", "requests", "intensity")
    REGION_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    INTENSITY_FIELD_NUMBER: _ClassVar[int]
    region: str
    requests: int
    intensity: int
    def __init__(self, region: _Optional[str] = ..., requests: _Optional[int] = ..., intensity: _Optional[int] = ...) -> None: ...

class BanditPrior(_message.Message):
    __slots__ = ("model", "gram", "moment")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GRAM_FIELD_NUMBER: _ClassVar[int]
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    model: str
    gram: _containers.RepeatedScalarFieldContainer[int]
    moment: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, model: _Optional[str] = ..., gram: _Optional[_Iterable[int]] = ..., moment: _Optional[_Iterable[int]] = ...) -> None: ...

class HoldoutPrior(_message.Message):
    __slots__ = ("requests", "advantage")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ADVANTAGE_FIELD_NUMBER: _ClassVar[int]
    requests: int
    advantage: int
    def __init__(self, requests: _Optional[int] = ..., advantage: _Optional[int] = ...) -> None: ...

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
