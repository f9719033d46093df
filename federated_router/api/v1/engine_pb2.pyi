from federated_router.api.v1 import inference_pb2 as _inference_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EngineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENGINE_KIND_UNSPECIFIED: _ClassVar[EngineKind]
    ENGINE_KIND_TRANSFORMERS: _ClassVar[EngineKind]
    ENGINE_KIND_OPENAI: _ClassVar[EngineKind]
    ENGINE_KIND_PIPELINE: _ClassVar[EngineKind]
    ENGINE_KIND_SHARD: _ClassVar[EngineKind]
ENGINE_KIND_UNSPECIFIED: EngineKind
ENGINE_KIND_TRANSFORMERS: EngineKind
ENGINE_KIND_OPENAI: EngineKind
ENGINE_KIND_PIPELINE: EngineKind
ENGINE_KIND_SHARD: EngineKind

class ListEnginesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEnginesResponse(_message.Message):
    __slots__ = ("engines", "next_page_token")
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[Engine]
    next_page_token: str
    def __init__(self, engines: _Optional[_Iterable[_Union[Engine, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Engine(_message.Message):
    __slots__ = ("model", "kind", "architecture", "data_type", "quantisation", "context_tokens_max", "parts", "cache_bytes", "prefix_cache_bytes", "prefix_cache_bytes_max", "slots", "requests_running", "requests_waiting", "private_support", "private_refusal")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTISATION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    CACHE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PREFIX_CACHE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PREFIX_CACHE_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_WAITING_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_REFUSAL_FIELD_NUMBER: _ClassVar[int]
    model: str
    kind: EngineKind
    architecture: str
    data_type: str
    quantisation: str
    context_tokens_max: int
    parts: _containers.RepeatedCompositeFieldContainer[ModelPart]
    cache_bytes: int
    prefix_cache_bytes: int
    prefix_cache_bytes_max: int
    slots: int
    requests_running: int
    requests_waiting: int
    private_support: _inference_pb2.PrivateSupport
    private_refusal: str
    def __init__(self, model: _Optional[str] = ..., kind: _Optional[_Union[EngineKind, str]] = ..., architecture: _Optional[str] = ..., data_type: _Optional[str] = ..., quantisation: _Optional[str] = ..., context_tokens_max: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[ModelPart, _Mapping]]] = ..., cache_bytes: _Optional[int] = ..., prefix_cache_bytes: _Optional[int] = ..., prefix_cache_bytes_max: _Optional[int] = ..., slots: _Optional[int] = ..., requests_running: _Optional[int] = ..., requests_waiting: _Optional[int] = ..., private_support: _Optional[_Union[_inference_pb2.PrivateSupport, str]] = ..., private_refusal: _Optional[str] = ...) -> None: ...

class ModelPart(_message.Message):
    __slots__ = ("modules", "device", "weight_bytes")
    MODULES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BYTES_FIELD_NUMBER: _ClassVar[int]
    modules: str
    device: str
    weight_bytes: int
    def __init__(self, modules: _Optional[str] = ..., device: _Optional[str] = ..., weight_bytes: _Optional[int] = ...) -> None: ...
