from federated_router.api.v1 import registry_pb2 as _registry_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_TYPE_UNSPECIFIED: _ClassVar[DataType]
    DATA_TYPE_FLOAT32: _ClassVar[DataType]
    DATA_TYPE_FLOAT16: _ClassVar[DataType]
    DATA_TYPE_BFLOAT16: _ClassVar[DataType]
DATA_TYPE_UNSPECIFIED: DataType
DATA_TYPE_FLOAT32: DataType
DATA_TYPE_FLOAT16: DataType
DATA_TYPE_BFLOAT16: DataType

class ForwardRequest(_message.Message):
    __slots__ = ("sequence", "open", "activations", "close")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    open: OpenSequence
    activations: Activations
    close: CloseSequence
    def __init__(self, sequence: _Optional[int] = ..., open: _Optional[_Union[OpenSequence, _Mapping]] = ..., activations: _Optional[_Union[Activations, _Mapping]] = ..., close: _Optional[_Union[CloseSequence, _Mapping]] = ...) -> None: ...

class OpenSequence(_message.Message):
    __slots__ = ("model", "model_digest", "first_layer", "end_layer", "tokens_max")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_LAYER_FIELD_NUMBER: _ClassVar[int]
    END_LAYER_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_digest: str
    first_layer: int
    end_layer: int
    tokens_max: int
    def __init__(self, model: _Optional[str] = ..., model_digest: _Optional[str] = ..., first_layer: _Optional[int] = ..., end_layer: _Optional[int] = ..., tokens_max: _Optional[int] = ...) -> None: ...

class Activations(_message.Message):
    __slots__ = ("first_position", "positions", "data_type", "data")
    FIRST_POSITION_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    first_position: int
    positions: int
    data_type: DataType
    data: bytes
    def __init__(self, first_position: _Optional[int] = ..., positions: _Optional[int] = ..., data_type: _Optional[_Union[DataType, str]] = ..., data: _Optional[bytes] = ...) -> None: ...

class CloseSequence(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ForwardResponse(_message.Message):
    __slots__ = ("sequence", "opened", "activations", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    opened: SequenceOpened
    activations: Activations
    error: SequenceError
    def __init__(self, sequence: _Optional[int] = ..., opened: _Optional[_Union[SequenceOpened, _Mapping]] = ..., activations: _Optional[_Union[Activations, _Mapping]] = ..., error: _Optional[_Union[SequenceError, _Mapping]] = ...) -> None: ...

class SequenceOpened(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SequenceError(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class GetShardRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class GetShardResponse(_message.Message):
    __slots__ = ("offer", "sequences_open", "weight_bytes", "cache_bytes")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_OPEN_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BYTES_FIELD_NUMBER: _ClassVar[int]
    CACHE_BYTES_FIELD_NUMBER: _ClassVar[int]
    offer: _registry_pb2.ShardOffer
    sequences_open: int
    weight_bytes: int
    cache_bytes: int
    def __init__(self, offer: _Optional[_Union[_registry_pb2.ShardOffer, _Mapping]] = ..., sequences_open: _Optional[int] = ..., weight_bytes: _Optional[int] = ..., cache_bytes: _Optional[int] = ...) -> None: ...
