"""Published answers that are kept to be served again, for nothing.

Serving a published answer again is post-processing: it tells nothing new (Dwork and
Roth 2014, proposition 2.1). Decides what is kept and under which keys; refuses to know
what an answer says. A key holds public facts alone: were record contents in it, a hit
would tell that they have not changed.
"""

from dataclasses import dataclass

from federated_router.budget.reservation import RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request published, as the bytes of a message of the contract.

    `cache_key` is a digest of the public question, None where the answer may only be
    replayed to the same request.
    """

    request_id: RequestId
    content: bytes
    stored_time_s: float
    expires_time_s: float
    cache_key: bytes | None = None

    @property
    def size_bytes(self) -> int:
        """What it counts against the limit of the store."""
        return len(self.content)
