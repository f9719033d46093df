import datetime

from federated_router.api.v1 import priors_pb2 as _priors_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoundView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUND_VIEW_UNSPECIFIED: _ClassVar[RoundView]
    ROUND_VIEW_BASIC: _ClassVar[RoundView]
    ROUND_VIEW_FULL: _ClassVar[RoundView]
ROUND_VIEW_UNSPECIFIED: RoundView
ROUND_VIEW_BASIC: RoundView
ROUND_VIEW_FULL: RoundView

class Round(_message.Message):
    __slots__ = ("name", "state", "catalogue", "roster", "roster_hash", "beacon", "noise", "participation_min", "state_deadline_time", "history", "end_cause", "survivors", "liars", "priors_revision", "joined_count", "inconsistent_dealers", "progress", "report", "reservation", "roster_count", "contributed_count", "checked_count", "answered_count")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Round.State]
        STATE_JOINING: _ClassVar[Round.State]
        STATE_REVEALING: _ClassVar[Round.State]
        STATE_COLLECTING: _ClassVar[Round.State]
        STATE_SUMMING: _ClassVar[Round.State]
        STATE_OPENING: _ClassVar[Round.State]
        STATE_VALIDATING: _ClassVar[Round.State]
        STATE_PUBLISHED: _ClassVar[Round.State]
        STATE_REJECTED: _ClassVar[Round.State]
        STATE_ABORTED: _ClassVar[Round.State]
        STATE_CHECKING: _ClassVar[Round.State]
    STATE_UNSPECIFIED: Round.State
    STATE_JOINING: Round.State
    STATE_REVEALING: Round.State
    STATE_COLLECTING: Round.State
    STATE_SUMMING: Round.State
    STATE_OPENING: Round.State
    STATE_VALIDATING: Round.State
    STATE_PUBLISHED: Round.State
    STATE_REJECTED: Round.State
    STATE_ABORTED: Round.State
    STATE_CHECKING: Round.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    ROSTER_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    BEACON_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_MIN_FIELD_NUMBER: _ClassVar[int]
    STATE_DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    END_CAUSE_FIELD_NUMBER: _ClassVar[int]
    SURVIVORS_FIELD_NUMBER: _ClassVar[int]
    LIARS_FIELD_NUMBER: _ClassVar[int]
    PRIORS_REVISION_FIELD_NUMBER: _ClassVar[int]
    JOINED_COUNT_FIELD_NUMBER: _ClassVar[int]
    INCONSISTENT_DEALERS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    ROSTER_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHECKED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Round.State
    catalogue: _priors_pb2.Catalogue
    roster: _containers.RepeatedCompositeFieldContainer[RosterEntry]
    roster_hash: bytes
    beacon: bytes
    noise: NoiseTerms
    participation_min: float
    state_deadline_time: _timestamp_pb2.Timestamp
    history: _containers.RepeatedCompositeFieldContainer[StateEntry]
    end_cause: str
    survivors: _containers.RepeatedScalarFieldContainer[str]
    liars: _containers.RepeatedScalarFieldContainer[str]
    priors_revision: int
    joined_count: int
    inconsistent_dealers: _containers.RepeatedScalarFieldContainer[str]
    progress: _containers.RepeatedCompositeFieldContainer[MemberProgress]
    report: RoundReport
    reservation: str
    roster_count: int
    contributed_count: int
    checked_count: int
    answered_count: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Round.State, str]] = ..., catalogue: _Optional[_Union[_priors_pb2.Catalogue, _Mapping]] = ..., roster: _Optional[_Iterable[_Union[RosterEntry, _Mapping]]] = ..., roster_hash: _Optional[bytes] = ..., beacon: _Optional[bytes] = ..., noise: _Optional[_Union[NoiseTerms, _Mapping]] = ..., participation_min: _Optional[float] = ..., state_deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., history: _Optional[_Iterable[_Union[StateEntry, _Mapping]]] = ..., end_cause: _Optional[str] = ..., survivors: _Optional[_Iterable[str]] = ..., liars: _Optional[_Iterable[str]] = ..., priors_revision: _Optional[int] = ..., joined_count: _Optional[int] = ..., inconsistent_dealers: _Optional[_Iterable[str]] = ..., progress: _Optional[_Iterable[_Union[MemberProgress, _Mapping]]] = ..., report: _Optional[_Union[RoundReport, _Mapping]] = ..., reservation: _Optional[str] = ..., roster_count: _Optional[int] = ..., contributed_count: _Optional[int] = ..., checked_count: _Optional[int] = ..., answered_count: _Optional[int] = ...) -> None: ...

class MemberProgress(_message.Message):
    __slots__ = ("member", "join_time", "reveal_time", "contribute_time", "check_time", "answer_time", "cohort")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    JOIN_TIME_FIELD_NUMBER: _ClassVar[int]
    REVEAL_TIME_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTE_TIME_FIELD_NUMBER: _ClassVar[int]
    CHECK_TIME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TIME_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    member: str
    join_time: _timestamp_pb2.Timestamp
    reveal_time: _timestamp_pb2.Timestamp
    contribute_time: _timestamp_pb2.Timestamp
    check_time: _timestamp_pb2.Timestamp
    answer_time: _timestamp_pb2.Timestamp
    cohort: int
    def __init__(self, member: _Optional[str] = ..., join_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reveal_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., contribute_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., check_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answer_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cohort: _Optional[int] = ...) -> None: ...

class RoundReport(_message.Message):
    __slots__ = ("stability", "diversity", "quality", "performance_delta", "holdout", "cohorts", "poisoners_tolerated", "poisoner_influence", "dip", "failed_checks")
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_DELTA_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_FIELD_NUMBER: _ClassVar[int]
    COHORTS_FIELD_NUMBER: _ClassVar[int]
    POISONERS_TOLERATED_FIELD_NUMBER: _ClassVar[int]
    POISONER_INFLUENCE_FIELD_NUMBER: _ClassVar[int]
    DIP_FIELD_NUMBER: _ClassVar[int]
    FAILED_CHECKS_FIELD_NUMBER: _ClassVar[int]
    stability: float
    diversity: float
    quality: float
    performance_delta: float
    holdout: HoldoutReport
    cohorts: _containers.RepeatedCompositeFieldContainer[CohortReport]
    poisoners_tolerated: int
    poisoner_influence: float
    dip: DipReport
    failed_checks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stability: _Optional[float] = ..., diversity: _Optional[float] = ..., quality: _Optional[float] = ..., performance_delta: _Optional[float] = ..., holdout: _Optional[_Union[HoldoutReport, _Mapping]] = ..., cohorts: _Optional[_Iterable[_Union[CohortReport, _Mapping]]] = ..., poisoners_tolerated: _Optional[int] = ..., poisoner_influence: _Optional[float] = ..., dip: _Optional[_Union[DipReport, _Mapping]] = ..., failed_checks: _Optional[_Iterable[str]] = ...) -> None: ...

class HoldoutReport(_message.Message):
    __slots__ = ("requests", "advantage", "advantage_standard_deviation", "conclusive")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ADVANTAGE_FIELD_NUMBER: _ClassVar[int]
    ADVANTAGE_STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    CONCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    requests: int
    advantage: float
    advantage_standard_deviation: float
    conclusive: bool
    def __init__(self, requests: _Optional[int] = ..., advantage: _Optional[float] = ..., advantage_standard_deviation: _Optional[float] = ..., conclusive: _Optional[bool] = ...) -> None: ...

class CohortReport(_message.Message):
    __slots__ = ("number", "members", "survivors", "outlying_share", "outlier")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    SURVIVORS_FIELD_NUMBER: _ClassVar[int]
    OUTLYING_SHARE_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_FIELD_NUMBER: _ClassVar[int]
    number: int
    members: int
    survivors: int
    outlying_share: float
    outlier: bool
    def __init__(self, number: _Optional[int] = ..., members: _Optional[int] = ..., survivors: _Optional[int] = ..., outlying_share: _Optional[float] = ..., outlier: _Optional[bool] = ...) -> None: ...

class DipReport(_message.Message):
    __slots__ = ("samples", "statistic", "p_value", "power")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    STATISTIC_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    samples: int
    statistic: float
    p_value: float
    power: float
    def __init__(self, samples: _Optional[int] = ..., statistic: _Optional[float] = ..., p_value: _Optional[float] = ..., power: _Optional[float] = ...) -> None: ...

class RosterEntry(_message.Message):
    __slots__ = ("member", "keys", "beacon_commitment", "beacon_nonce", "contribution_bytes")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    BEACON_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    BEACON_NONCE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_BYTES_FIELD_NUMBER: _ClassVar[int]
    member: str
    keys: MemberKeys
    beacon_commitment: bytes
    beacon_nonce: bytes
    contribution_bytes: int
    def __init__(self, member: _Optional[str] = ..., keys: _Optional[_Union[MemberKeys, _Mapping]] = ..., beacon_commitment: _Optional[bytes] = ..., beacon_nonce: _Optional[bytes] = ..., contribution_bytes: _Optional[int] = ...) -> None: ...

class MemberKeys(_message.Message):
    __slots__ = ("signing_key", "sealing_key", "not_after_s", "certificate_der", "binding_signature")
    SIGNING_KEY_FIELD_NUMBER: _ClassVar[int]
    SEALING_KEY_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    BINDING_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signing_key: bytes
    sealing_key: bytes
    not_after_s: int
    certificate_der: bytes
    binding_signature: bytes
    def __init__(self, signing_key: _Optional[bytes] = ..., sealing_key: _Optional[bytes] = ..., not_after_s: _Optional[int] = ..., certificate_der: _Optional[bytes] = ..., binding_signature: _Optional[bytes] = ...) -> None: ...

class NoiseTerms(_message.Message):
    __slots__ = ("scale", "survivors_min", "colluders_max", "sensitivity_squared", "cohort_size", "cohort_survivors_min", "cohort_colluders_max")
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SURVIVORS_MIN_FIELD_NUMBER: _ClassVar[int]
    COLLUDERS_MAX_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_SQUARED_FIELD_NUMBER: _ClassVar[int]
    COHORT_SIZE_FIELD_NUMBER: _ClassVar[int]
    COHORT_SURVIVORS_MIN_FIELD_NUMBER: _ClassVar[int]
    COHORT_COLLUDERS_MAX_FIELD_NUMBER: _ClassVar[int]
    scale: float
    survivors_min: int
    colluders_max: int
    sensitivity_squared: int
    cohort_size: int
    cohort_survivors_min: int
    cohort_colluders_max: int
    def __init__(self, scale: _Optional[float] = ..., survivors_min: _Optional[int] = ..., colluders_max: _Optional[int] = ..., sensitivity_squared: _Optional[int] = ..., cohort_size: _Optional[int] = ..., cohort_survivors_min: _Optional[int] = ..., cohort_colluders_max: _Optional[int] = ...) -> None: ...

class StateEntry(_message.Message):
    __slots__ = ("state", "enter_time")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENTER_TIME_FIELD_NUMBER: _ClassVar[int]
    state: Round.State
    enter_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[Round.State, str]] = ..., enter_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateRoundRequest(_message.Message):
    __slots__ = ("request_id", "members_expected")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_EXPECTED_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    members_expected: int
    def __init__(self, request_id: _Optional[str] = ..., members_expected: _Optional[int] = ...) -> None: ...

class CreateRoundResponse(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: Round
    def __init__(self, round: _Optional[_Union[Round, _Mapping]] = ...) -> None: ...

class GetRoundRequest(_message.Message):
    __slots__ = ("name", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    view: RoundView
    def __init__(self, name: _Optional[str] = ..., view: _Optional[_Union[RoundView, str]] = ...) -> None: ...

class GetRoundResponse(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: Round
    def __init__(self, round: _Optional[_Union[Round, _Mapping]] = ...) -> None: ...

class ListRoundsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "view")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    view: RoundView
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[RoundView, str]] = ...) -> None: ...

class ListRoundsResponse(_message.Message):
    __slots__ = ("rounds", "next_page_token")
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rounds: _containers.RepeatedCompositeFieldContainer[Round]
    next_page_token: str
    def __init__(self, rounds: _Optional[_Iterable[_Union[Round, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchRoundRequest(_message.Message):
    __slots__ = ("name", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    view: RoundView
    def __init__(self, name: _Optional[str] = ..., view: _Optional[_Union[RoundView, str]] = ...) -> None: ...

class WatchRoundResponse(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: Round
    def __init__(self, round: _Optional[_Union[Round, _Mapping]] = ...) -> None: ...

class GetRosterRequest(_message.Message):
    __slots__ = ("round", "known_keys")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    KNOWN_KEYS_FIELD_NUMBER: _ClassVar[int]
    round: str
    known_keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, round: _Optional[str] = ..., known_keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetRosterResponse(_message.Message):
    __slots__ = ("members",)
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[RosterMember]
    def __init__(self, members: _Optional[_Iterable[_Union[RosterMember, _Mapping]]] = ...) -> None: ...

class RosterMember(_message.Message):
    __slots__ = ("member", "keys_sha256", "keys", "beacon_nonce")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    KEYS_SHA256_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    BEACON_NONCE_FIELD_NUMBER: _ClassVar[int]
    member: str
    keys_sha256: bytes
    keys: MemberKeys
    beacon_nonce: bytes
    def __init__(self, member: _Optional[str] = ..., keys_sha256: _Optional[bytes] = ..., keys: _Optional[_Union[MemberKeys, _Mapping]] = ..., beacon_nonce: _Optional[bytes] = ...) -> None: ...

class JoinRoundRequest(_message.Message):
    __slots__ = ("round", "keys", "beacon_commitment", "signature")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    BEACON_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    round: str
    keys: MemberKeys
    beacon_commitment: bytes
    signature: bytes
    def __init__(self, round: _Optional[str] = ..., keys: _Optional[_Union[MemberKeys, _Mapping]] = ..., beacon_commitment: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class JoinRoundResponse(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: Round
    def __init__(self, round: _Optional[_Union[Round, _Mapping]] = ...) -> None: ...

class RevealBeaconRequest(_message.Message):
    __slots__ = ("round", "nonce", "signature")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    round: str
    nonce: bytes
    signature: bytes
    def __init__(self, round: _Optional[str] = ..., nonce: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class RevealBeaconResponse(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: Round
    def __init__(self, round: _Optional[_Union[Round, _Mapping]] = ...) -> None: ...

class SubmitContributionRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: ContributionHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[ContributionHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class ContributionHeader(_message.Message):
    __slots__ = ("round", "roster_hash", "size_bytes", "sha256", "signature")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ROSTER_HASH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    round: str
    roster_hash: bytes
    size_bytes: int
    sha256: bytes
    signature: bytes
    def __init__(self, round: _Optional[str] = ..., roster_hash: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SubmitContributionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DownloadSharesRequest(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: str
    def __init__(self, round: _Optional[str] = ...) -> None: ...

class DownloadSharesResponse(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: SharesHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[SharesHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class SharesHeader(_message.Message):
    __slots__ = ("contributors", "coordinator_signature", "coordinator_certificate_der", "size_bytes")
    CONTRIBUTORS_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    contributors: _containers.RepeatedCompositeFieldContainer[Contributor]
    coordinator_signature: bytes
    coordinator_certificate_der: bytes
    size_bytes: int
    def __init__(self, contributors: _Optional[_Iterable[_Union[Contributor, _Mapping]]] = ..., coordinator_signature: _Optional[bytes] = ..., coordinator_certificate_der: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Contributor(_message.Message):
    __slots__ = ("number", "sha256", "signature")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    number: int
    sha256: bytes
    signature: bytes
    def __init__(self, number: _Optional[int] = ..., sha256: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SubmitDealingCheckRequest(_message.Message):
    __slots__ = ("round", "combinations", "signature")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    COMBINATIONS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    round: str
    combinations: bytes
    signature: bytes
    def __init__(self, round: _Optional[str] = ..., combinations: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SubmitDealingCheckResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSurvivorSetRequest(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: str
    def __init__(self, round: _Optional[str] = ...) -> None: ...

class GetSurvivorSetResponse(_message.Message):
    __slots__ = ("survivors", "coordinator_signature", "coordinator_certificate_der")
    SURVIVORS_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    survivors: _containers.RepeatedScalarFieldContainer[int]
    coordinator_signature: bytes
    coordinator_certificate_der: bytes
    def __init__(self, survivors: _Optional[_Iterable[int]] = ..., coordinator_signature: _Optional[bytes] = ..., coordinator_certificate_der: _Optional[bytes] = ...) -> None: ...

class SubmitOpeningRequest(_message.Message):
    __slots__ = ("round", "share_sum", "signature")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    SHARE_SUM_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    round: str
    share_sum: bytes
    signature: bytes
    def __init__(self, round: _Optional[str] = ..., share_sum: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class SubmitOpeningResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AbortRoundRequest(_message.Message):
    __slots__ = ("name", "cause")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    name: str
    cause: str
    def __init__(self, name: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class AbortRoundResponse(_message.Message):
    __slots__ = ("round",)
    ROUND_FIELD_NUMBER: _ClassVar[int]
    round: Round
    def __init__(self, round: _Optional[_Union[Round, _Mapping]] = ...) -> None: ...
