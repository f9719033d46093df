from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NoiseMechanism(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOISE_MECHANISM_UNSPECIFIED: _ClassVar[NoiseMechanism]
    NOISE_MECHANISM_GAUSSIAN: _ClassVar[NoiseMechanism]
    NOISE_MECHANISM_LAPLACE: _ClassVar[NoiseMechanism]
NOISE_MECHANISM_UNSPECIFIED: NoiseMechanism
NOISE_MECHANISM_GAUSSIAN: NoiseMechanism
NOISE_MECHANISM_LAPLACE: NoiseMechanism

class ReleaseScope(_message.Message):
    __slots__ = ("request_id", "dataset", "blocks", "validate_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    dataset: str
    blocks: _containers.RepeatedScalarFieldContainer[str]
    validate_only: bool
    def __init__(self, request_id: _Optional[str] = ..., dataset: _Optional[str] = ..., blocks: _Optional[_Iterable[str]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ReleaseCharge(_message.Message):
    __slots__ = ("reservation", "units", "accounts", "replayed")
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    reservation: str
    units: int
    accounts: _containers.RepeatedScalarFieldContainer[str]
    replayed: bool
    def __init__(self, reservation: _Optional[str] = ..., units: _Optional[int] = ..., accounts: _Optional[_Iterable[str]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ReleaseNumberRequest(_message.Message):
    __slots__ = ("scope", "number", "mechanism", "scale")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MECHANISM_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    scope: ReleaseScope
    number: BoundedNumber
    mechanism: NoiseMechanism
    scale: str
    def __init__(self, scope: _Optional[_Union[ReleaseScope, _Mapping]] = ..., number: _Optional[_Union[BoundedNumber, _Mapping]] = ..., mechanism: _Optional[_Union[NoiseMechanism, str]] = ..., scale: _Optional[str] = ...) -> None: ...

class BoundedNumber(_message.Message):
    __slots__ = ("value", "lower", "upper")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    value: float
    lower: str
    upper: str
    def __init__(self, value: _Optional[float] = ..., lower: _Optional[str] = ..., upper: _Optional[str] = ...) -> None: ...

class ReleaseNumberResponse(_message.Message):
    __slots__ = ("value", "standard_deviation", "charge")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    value: float
    standard_deviation: float
    charge: ReleaseCharge
    def __init__(self, value: _Optional[float] = ..., standard_deviation: _Optional[float] = ..., charge: _Optional[_Union[ReleaseCharge, _Mapping]] = ...) -> None: ...

class ReleaseCountsRequest(_message.Message):
    __slots__ = ("scope", "counts", "entries_per_record_max", "count_per_record_max", "mechanism", "scale")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_PER_RECORD_MAX_FIELD_NUMBER: _ClassVar[int]
    COUNT_PER_RECORD_MAX_FIELD_NUMBER: _ClassVar[int]
    MECHANISM_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    scope: ReleaseScope
    counts: _containers.RepeatedScalarFieldContainer[int]
    entries_per_record_max: int
    count_per_record_max: int
    mechanism: NoiseMechanism
    scale: str
    def __init__(self, scope: _Optional[_Union[ReleaseScope, _Mapping]] = ..., counts: _Optional[_Iterable[int]] = ..., entries_per_record_max: _Optional[int] = ..., count_per_record_max: _Optional[int] = ..., mechanism: _Optional[_Union[NoiseMechanism, str]] = ..., scale: _Optional[str] = ...) -> None: ...

class ReleaseCountsResponse(_message.Message):
    __slots__ = ("counts", "standard_deviation", "charge")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    standard_deviation: float
    charge: ReleaseCharge
    def __init__(self, counts: _Optional[_Iterable[int]] = ..., standard_deviation: _Optional[float] = ..., charge: _Optional[_Union[ReleaseCharge, _Mapping]] = ...) -> None: ...

class SelectOptionRequest(_message.Message):
    __slots__ = ("scope", "scores", "sensitivity", "temperature", "monotonic")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    MONOTONIC_FIELD_NUMBER: _ClassVar[int]
    scope: ReleaseScope
    scores: _containers.RepeatedScalarFieldContainer[float]
    sensitivity: str
    temperature: str
    monotonic: bool
    def __init__(self, scope: _Optional[_Union[ReleaseScope, _Mapping]] = ..., scores: _Optional[_Iterable[float]] = ..., sensitivity: _Optional[str] = ..., temperature: _Optional[str] = ..., monotonic: _Optional[bool] = ...) -> None: ...

class SelectOptionResponse(_message.Message):
    __slots__ = ("option", "charge")
    OPTION_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    option: int
    charge: ReleaseCharge
    def __init__(self, option: _Optional[int] = ..., charge: _Optional[_Union[ReleaseCharge, _Mapping]] = ...) -> None: ...
