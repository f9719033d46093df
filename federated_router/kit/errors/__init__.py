"""Every refusal and failure this system knows, as a tree by what a caller can do.

    FederationError
    ├── InvalidInput          correct the request          (field named in metadata)
    │   ├── FieldRequired  FieldInvalid  PromptTooLong  RecordsTooMany
    │   ├── RecordNotText  NotPrivatelyServable  CiphertextMalformed
    │   └── ChargeMismatch
    ├── NotFound              name something that exists
    │   ├── ModelUnknown  DatasetUnknown  PolicyUnknown  NodeUnknown
    │   ├── AccountUnknown  RoundUnknown  PriorsUnknown
    │   ├── BlockUnknown  ProposalUnknown  MemberUnknown  GrantUnknown
    │   └── RequestUnknown
    ├── Conflict              choose another id, or fetch what is there
    │   └── AccountExists  RequestIdReused  RequestAlreadyServed  ShareConflict
    ├── NotIdentified         present a certificate of this federation
    ├── NotAllowed            ask for another role
    │   ├── RoleNotAllowed  SignatureInvalid  NotOnRoster  SecondPersonNeeded
    │   └── MemberNotEnrolled  MemberRevoked
    ├── NotNow                change the state first; retrying alone does not help
    │   ├── BudgetExhausted  RoundStateWrong  RosterTooSmall  RosterMismatch
    │   ├── HeadroomExceeded  PrivateNotOffered  AccountClosed
    │   └── WishesUnmet  NoTrustedNode  ContinuationNotOffered
    ├── LimitReached          slow down, then retry
    │   └── QueueFull  RateLimited  Overloaded
    ├── Unavailable           retry later, or elsewhere
    │   ├── NoNodeAvailable  NodeLost  Draining  LeaseLost  StoreUnavailable
    │   └── GrantNotExtended  ShardsMissing
    ├── DeadlineExceeded      allow more time
    └── Internal              tell the operator; details are in the daemon's log

The class says the reason, `metadata` carries the facts, the message tells the fix.
One file holds what is wrong with the request, one the caller, one the system. gRPC
codes live in `grpc_errors`; nothing here knows the wire.
"""

from federated_router.kit.errors.caller import (
    MemberNotEnrolled,
    MemberRevoked,
    NotAllowed,
    NotIdentified,
    NotOnRoster,
    RoleNotAllowed,
    SecondPersonNeeded,
    SignatureInvalid,
)
from federated_router.kit.errors.request import (
    AccountExists,
    AccountUnknown,
    BlockUnknown,
    ChargeMismatch,
    CiphertextMalformed,
    Conflict,
    DatasetUnknown,
    FieldInvalid,
    FieldRequired,
    GrantUnknown,
    InvalidInput,
    MemberUnknown,
    ModelUnknown,
    NodeUnknown,
    NotFound,
    NotPrivatelyServable,
    PolicyUnknown,
    PriorsUnknown,
    PromptTooLong,
    ProposalUnknown,
    RecordNotText,
    RecordsTooMany,
    RequestAlreadyServed,
    RequestIdReused,
    RequestUnknown,
    RoundUnknown,
    ShareConflict,
)
from federated_router.kit.errors.root import (
    FederationError,
    all_error_classes,
)
from federated_router.kit.errors.system import (
    AccountClosed,
    BudgetExhausted,
    ContinuationNotOffered,
    DeadlineExceeded,
    Draining,
    GrantNotExtended,
    HeadroomExceeded,
    Internal,
    LeaseLost,
    LimitReached,
    NodeLost,
    NoNodeAvailable,
    NotNow,
    NoTrustedNode,
    Overloaded,
    PrivateNotOffered,
    QueueFull,
    RateLimited,
    RosterMismatch,
    RosterTooSmall,
    RoundStateWrong,
    ShardsMissing,
    StoreUnavailable,
    Unavailable,
    WishesUnmet,
)

__all__ = [
    "AccountClosed",
    "AccountExists",
    "AccountUnknown",
    "BlockUnknown",
    "BudgetExhausted",
    "ChargeMismatch",
    "CiphertextMalformed",
    "Conflict",
    "ContinuationNotOffered",
    "DatasetUnknown",
    "DeadlineExceeded",
    "Draining",
    "FederationError",
    "FieldInvalid",
    "FieldRequired",
    "GrantNotExtended",
    "GrantUnknown",
    "HeadroomExceeded",
    "Internal",
    "InvalidInput",
    "LeaseLost",
    "LimitReached",
    "MemberNotEnrolled",
    "MemberRevoked",
    "MemberUnknown",
    "ModelUnknown",
    "NoNodeAvailable",
    "NoTrustedNode",
    "NodeLost",
    "NodeUnknown",
    "NotAllowed",
    "NotFound",
    "NotIdentified",
    "NotNow",
    "NotOnRoster",
    "NotPrivatelyServable",
    "Overloaded",
    "PolicyUnknown",
    "PriorsUnknown",
    "PrivateNotOffered",
    "PromptTooLong",
    "ProposalUnknown",
    "QueueFull",
    "RateLimited",
    "RecordNotText",
    "RecordsTooMany",
    "RequestAlreadyServed",
    "RequestIdReused",
    "RequestUnknown",
    "RoleNotAllowed",
    "RosterMismatch",
    "RosterTooSmall",
    "RoundStateWrong",
    "RoundUnknown",
    "SecondPersonNeeded",
    "ShardsMissing",
    "ShareConflict",
    "SignatureInvalid",
    "StoreUnavailable",
    "Unavailable",
    "WishesUnmet",
    "all_error_classes",
]
