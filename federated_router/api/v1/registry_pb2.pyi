import datetime

from federated_router.api.v1 import inference_pb2 as _inference_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Node(_message.Message):
    __slots__ = ("name", "address", "region", "models", "state", "load", "requests_in_flight", "lease_expire_time", "shards", "weight", "trusted_with")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Node.State]
        STATE_READY: _ClassVar[Node.State]
        STATE_DRAINING: _ClassVar[Node.State]
    STATE_UNSPECIFIED: Node.State
    STATE_READY: Node.State
    STATE_DRAINING: Node.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_WITH_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    region: str
    models: _containers.RepeatedCompositeFieldContainer[ModelOffer]
    state: Node.State
    load: NodeLoad
    requests_in_flight: int
    lease_expire_time: _timestamp_pb2.Timestamp
    shards: _containers.RepeatedCompositeFieldContainer[ShardOffer]
    weight: float
    trusted_with: _inference_pb2.Sensitivity
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., region: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelOffer, _Mapping]]] = ..., state: _Optional[_Union[Node.State, str]] = ..., load: _Optional[_Union[NodeLoad, _Mapping]] = ..., requests_in_flight: _Optional[int] = ..., lease_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shards: _Optional[_Iterable[_Union[ShardOffer, _Mapping]]] = ..., weight: _Optional[float] = ..., trusted_with: _Optional[_Union[_inference_pb2.Sensitivity, str]] = ...) -> None: ...

class ShardOffer(_message.Message):
    __slots__ = ("model", "model_digest", "first_layer", "end_layer", "slots", "context_tokens_max", "token_ms", "frame_tokens_max")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_LAYER_FIELD_NUMBER: _ClassVar[int]
    END_LAYER_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    FRAME_TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_digest: str
    first_layer: int
    end_layer: int
    slots: int
    context_tokens_max: int
    token_ms: float
    frame_tokens_max: int
    def __init__(self, model: _Optional[str] = ..., model_digest: _Optional[str] = ..., first_layer: _Optional[int] = ..., end_layer: _Optional[int] = ..., slots: _Optional[int] = ..., context_tokens_max: _Optional[int] = ..., token_ms: _Optional[float] = ..., frame_tokens_max: _Optional[int] = ...) -> None: ...

class ModelOffer(_message.Message):
    __slots__ = ("model", "context_tokens_max", "private_support", "slots", "tier", "tariff")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    TARIFF_FIELD_NUMBER: _ClassVar[int]
    model: str
    context_tokens_max: int
    private_support: _inference_pb2.PrivateSupport
    slots: int
    tier: str
    tariff: Tariff
    def __init__(self, model: _Optional[str] = ..., context_tokens_max: _Optional[int] = ..., private_support: _Optional[_Union[_inference_pb2.PrivateSupport, str]] = ..., slots: _Optional[int] = ..., tier: _Optional[str] = ..., tariff: _Optional[_Union[Tariff, _Mapping]] = ...) -> None: ...

class Tariff(_message.Message):
    __slots__ = ("prompt_cost", "completion_cost", "prompt_joules", "completion_joules", "energy_basis")
    PROMPT_COST_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_COST_FIELD_NUMBER: _ClassVar[int]
    PROMPT_JOULES_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_JOULES_FIELD_NUMBER: _ClassVar[int]
    ENERGY_BASIS_FIELD_NUMBER: _ClassVar[int]
    prompt_cost: float
    completion_cost: float
    prompt_joules: float
    completion_joules: float
    energy_basis: _inference_pb2.EnergyBasis
    def __init__(self, prompt_cost: _Optional[float] = ..., completion_cost: _Optional[float] = ..., prompt_joules: _Optional[float] = ..., completion_joules: _Optional[float] = ..., energy_basis: _Optional[_Union[_inference_pb2.EnergyBasis, str]] = ...) -> None: ...

class NodeLoad(_message.Message):
    __slots__ = ("requests_running", "requests_waiting")
    REQUESTS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_WAITING_FIELD_NUMBER: _ClassVar[int]
    requests_running: int
    requests_waiting: int
    def __init__(self, requests_running: _Optional[int] = ..., requests_waiting: _Optional[int] = ...) -> None: ...

class RegisterNodeRequest(_message.Message):
    __slots__ = ("node", "lease_id")
    NODE_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    node: Node
    lease_id: str
    def __init__(self, node: _Optional[_Union[Node, _Mapping]] = ..., lease_id: _Optional[str] = ...) -> None: ...

class RegisterNodeResponse(_message.Message):
    __slots__ = ("lease_id", "lease_duration", "user_epoch")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    USER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    lease_duration: _duration_pb2.Duration
    user_epoch: str
    def __init__(self, lease_id: _Optional[str] = ..., lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., user_epoch: _Optional[str] = ...) -> None: ...

class RenewLeaseRequest(_message.Message):
    __slots__ = ("name", "lease_id", "load")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    name: str
    lease_id: str
    load: NodeLoad
    def __init__(self, name: _Optional[str] = ..., lease_id: _Optional[str] = ..., load: _Optional[_Union[NodeLoad, _Mapping]] = ...) -> None: ...

class RenewLeaseResponse(_message.Message):
    __slots__ = ("lease_duration",)
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    lease_duration: _duration_pb2.Duration
    def __init__(self, lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DeregisterNodeRequest(_message.Message):
    __slots__ = ("name", "lease_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    lease_id: str
    def __init__(self, name: _Optional[str] = ..., lease_id: _Optional[str] = ...) -> None: ...

class DeregisterNodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetNodeRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: Node
    def __init__(self, node: _Optional[_Union[Node, _Mapping]] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes", "next_page_token")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    next_page_token: str
    def __init__(self, nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListShardsRequest(_message.Message):
    __slots__ = ("model", "page_size", "page_token")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model: str
    page_size: int
    page_token: str
    def __init__(self, model: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListShardsResponse(_message.Message):
    __slots__ = ("shards", "next_page_token")
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.RepeatedCompositeFieldContainer[Shard]
    next_page_token: str
    def __init__(self, shards: _Optional[_Iterable[_Union[Shard, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Shard(_message.Message):
    __slots__ = ("node", "address", "offer")
    NODE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    node: str
    address: str
    offer: ShardOffer
    def __init__(self, node: _Optional[str] = ..., address: _Optional[str] = ..., offer: _Optional[_Union[ShardOffer, _Mapping]] = ...) -> None: ...

class DrainNodeRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DrainNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: Node
    def __init__(self, node: _Optional[_Union[Node, _Mapping]] = ...) -> None: ...
