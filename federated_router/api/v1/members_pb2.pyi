import datetime

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

class Member(_message.Message):
    __slots__ = ("name", "state", "certificates", "enrol_time", "last_seen_time", "last_round", "round_key_time", "offence_count", "rate_limited_count", "malformed_count", "signature_failure_count", "suspend_until_time", "revoke_cause", "revoke_time", "outlying_count", "outlying_chance")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Member.State]
        STATE_SEEN: _ClassVar[Member.State]
        STATE_ENROLLED: _ClassVar[Member.State]
        STATE_ACTIVE: _ClassVar[Member.State]
        STATE_REVOKED: _ClassVar[Member.State]
    STATE_UNSPECIFIED: Member.State
    STATE_SEEN: Member.State
    STATE_ENROLLED: Member.State
    STATE_ACTIVE: Member.State
    STATE_REVOKED: Member.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    ENROL_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_ROUND_FIELD_NUMBER: _ClassVar[int]
    ROUND_KEY_TIME_FIELD_NUMBER: _ClassVar[int]
    OFFENCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMITED_COUNT_FIELD_NUMBER: _ClassVar[int]
    MALFORMED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_CAUSE_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTLYING_COUNT_FIELD_NUMBER: _ClassVar[int]
    OUTLYING_CHANCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Member.State
    certificates: _containers.RepeatedCompositeFieldContainer[MemberCertificate]
    enrol_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    last_round: str
    round_key_time: _timestamp_pb2.Timestamp
    offence_count: int
    rate_limited_count: int
    malformed_count: int
    signature_failure_count: int
    suspend_until_time: _timestamp_pb2.Timestamp
    revoke_cause: str
    revoke_time: _timestamp_pb2.Timestamp
    outlying_count: int
    outlying_chance: float
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Member.State, str]] = ..., certificates: _Optional[_Iterable[_Union[MemberCertificate, _Mapping]]] = ..., enrol_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_round: _Optional[str] = ..., round_key_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., offence_count: _Optional[int] = ..., rate_limited_count: _Optional[int] = ..., malformed_count: _Optional[int] = ..., signature_failure_count: _Optional[int] = ..., suspend_until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoke_cause: _Optional[str] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outlying_count: _Optional[int] = ..., outlying_chance: _Optional[float] = ...) -> None: ...

class MemberCertificate(_message.Message):
    __slots__ = ("serial", "fingerprint_sha256", "expire_time")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_SHA256_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    serial: str
    fingerprint_sha256: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, serial: _Optional[str] = ..., fingerprint_sha256: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CertificateRenewal(_message.Message):
    __slots__ = ("name", "member", "state", "signing_request_der", "certificate_der", "request_time", "expire_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[CertificateRenewal.State]
        STATE_PENDING: _ClassVar[CertificateRenewal.State]
        STATE_ISSUED: _ClassVar[CertificateRenewal.State]
    STATE_UNSPECIFIED: CertificateRenewal.State
    STATE_PENDING: CertificateRenewal.State
    STATE_ISSUED: CertificateRenewal.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SIGNING_REQUEST_DER_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    member: str
    state: CertificateRenewal.State
    signing_request_der: bytes
    certificate_der: bytes
    request_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., member: _Optional[str] = ..., state: _Optional[_Union[CertificateRenewal.State, str]] = ..., signing_request_der: _Optional[bytes] = ..., certificate_der: _Optional[bytes] = ..., request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EnrolMemberRequest(_message.Message):
    __slots__ = ("request_id", "member", "certificate_der")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    member: str
    certificate_der: bytes
    def __init__(self, request_id: _Optional[str] = ..., member: _Optional[str] = ..., certificate_der: _Optional[bytes] = ...) -> None: ...

class EnrolMemberResponse(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: Member
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ...) -> None: ...

class GetMemberRequest(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: str
    def __init__(self, member: _Optional[str] = ...) -> None: ...

class GetMemberResponse(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: Member
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ...) -> None: ...

class ListMembersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ("members", "next_page_token")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[Member]
    next_page_token: str
    def __init__(self, members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevokeMemberRequest(_message.Message):
    __slots__ = ("member", "revocation_list_der", "cause")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_LIST_DER_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    member: str
    revocation_list_der: bytes
    cause: str
    def __init__(self, member: _Optional[str] = ..., revocation_list_der: _Optional[bytes] = ..., cause: _Optional[str] = ...) -> None: ...

class RevokeMemberResponse(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: Member
    def __init__(self, member: _Optional[_Union[Member, _Mapping]] = ...) -> None: ...

class PublishRevocationsRequest(_message.Message):
    __slots__ = ("revocation_list_der",)
    REVOCATION_LIST_DER_FIELD_NUMBER: _ClassVar[int]
    revocation_list_der: bytes
    def __init__(self, revocation_list_der: _Optional[bytes] = ...) -> None: ...

class PublishRevocationsResponse(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class GetRevocationsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRevocationsResponse(_message.Message):
    __slots__ = ("revocation_list_der",)
    REVOCATION_LIST_DER_FIELD_NUMBER: _ClassVar[int]
    revocation_list_der: bytes
    def __init__(self, revocation_list_der: _Optional[bytes] = ...) -> None: ...

class WatchRevocationsRequest(_message.Message):
    __slots__ = ("after_number",)
    AFTER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    after_number: int
    def __init__(self, after_number: _Optional[int] = ...) -> None: ...

class WatchRevocationsResponse(_message.Message):
    __slots__ = ("revocation_list_der",)
    REVOCATION_LIST_DER_FIELD_NUMBER: _ClassVar[int]
    revocation_list_der: bytes
    def __init__(self, revocation_list_der: _Optional[bytes] = ...) -> None: ...

class RequestRenewalRequest(_message.Message):
    __slots__ = ("signing_request_der",)
    SIGNING_REQUEST_DER_FIELD_NUMBER: _ClassVar[int]
    signing_request_der: bytes
    def __init__(self, signing_request_der: _Optional[bytes] = ...) -> None: ...

class RequestRenewalResponse(_message.Message):
    __slots__ = ("renewal", "poll_interval_duration")
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    POLL_INTERVAL_DURATION_FIELD_NUMBER: _ClassVar[int]
    renewal: CertificateRenewal
    poll_interval_duration: _duration_pb2.Duration
    def __init__(self, renewal: _Optional[_Union[CertificateRenewal, _Mapping]] = ..., poll_interval_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetRenewalRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRenewalResponse(_message.Message):
    __slots__ = ("renewal",)
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    renewal: CertificateRenewal
    def __init__(self, renewal: _Optional[_Union[CertificateRenewal, _Mapping]] = ...) -> None: ...

class ListRenewalsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRenewalsResponse(_message.Message):
    __slots__ = ("renewals", "next_page_token")
    RENEWALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    renewals: _containers.RepeatedCompositeFieldContainer[CertificateRenewal]
    next_page_token: str
    def __init__(self, renewals: _Optional[_Iterable[_Union[CertificateRenewal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class IssueRenewalRequest(_message.Message):
    __slots__ = ("name", "certificate_der")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    name: str
    certificate_der: bytes
    def __init__(self, name: _Optional[str] = ..., certificate_der: _Optional[bytes] = ...) -> None: ...

class IssueRenewalResponse(_message.Message):
    __slots__ = ("renewal",)
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    renewal: CertificateRenewal
    def __init__(self, renewal: _Optional[_Union[CertificateRenewal, _Mapping]] = ...) -> None: ...
