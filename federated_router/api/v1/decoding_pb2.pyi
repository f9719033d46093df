from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ExtendGrantRequest(_message.Message):
    __slots__ = ("reservation", "tokens_granted")
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_GRANTED_FIELD_NUMBER: _ClassVar[int]
    reservation: str
    tokens_granted: int
    def __init__(self, reservation: _Optional[str] = ..., tokens_granted: _Optional[int] = ...) -> None: ...

class ExtendGrantResponse(_message.Message):
    __slots__ = ("tokens_granted",)
    TOKENS_GRANTED_FIELD_NUMBER: _ClassVar[int]
    tokens_granted: int
    def __init__(self, tokens_granted: _Optional[int] = ...) -> None: ...
