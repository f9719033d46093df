"""One private request at the node: from records to a Stepper, and its token count."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from federated_router.kit.errors import PrivateNotOffered
from federated_router.privacy.policy import PrivatePolicy
from node.engine.engine import DEFAULT_TERMS, ChatMessage, Stepper, Terms
from node.engine.pieces import Pieces
from node.private.credit import Credit
from node.private.rows import PrivateRows, build_rows
from node.private.session import PrivateSession
from node.private_model import PrivateModel


@dataclass(slots=True)
class PrivateAnswer:
    """A running private generation; `tokens_sampled` is what is charged."""

    pieces: Pieces
    session: list[PrivateSession]
    public_tokens: int

    @property
    def tokens_sampled(self) -> int:
        """Return how many tokens were drawn so far, the end token included."""
        return self.session[0].tokens_sampled if self.session else 0


async def begin_private_answer(
    served: PrivateModel,
    policy: PrivatePolicy,
    *,
    credit: Credit,
    messages: Sequence[ChatMessage],
    records: Sequence[str],
    stop: tuple[str, ...],
    terms: Terms = DEFAULT_TERMS,
) -> PrivateAnswer:
    """Lay out the rows in a thread and queue the generation on these terms.

    Raises:
        PromptTooLong: the public prompt alone does not fit the policy's rows.
        RecordsTooMany: more records than slots.
        PrivateNotOffered: the shape was not proved at start, or rows and answer
            together exceed the model's context.
        QueueFull: as many requests wait as may.
    """
    served.require_proven(policy)
    _require_room(served, policy)
    async with served.tokenising:
        rows, public_tokens = await asyncio.to_thread(
            _rows, served, policy, messages, records
        )
    session: list[PrivateSession] = []

    def make() -> Stepper:
        session.append(
            PrivateSession(
                served.engine.model,
                policy,
                rows,
                credit=credit,
                end_ids=served.engine.end_ids,
                banned_ids=served.engine.tokenizer.all_special_ids,
            )
        )
        return session[0]

    pieces = served.engine.run_stepper(make, stop=stop, terms=terms)
    return PrivateAnswer(pieces, session, public_tokens)


def _require_room(served: PrivateModel, policy: PrivatePolicy) -> None:
    """Raise PrivateNotOffered where the longest answer would leave the context.

    Known from public figures, so that it is told before anything is sampled.
    """
    context_tokens = served.engine.context_tokens_max
    if policy.row_tokens_max + policy.tokens_max > context_tokens:
        raise PrivateNotOffered(
            f"Rows and answer need more than the model's {context_tokens} tokens.",
            metadata={"policy": policy.name, "model": served.name},
        )


def _rows(
    served: PrivateModel,
    policy: PrivatePolicy,
    messages: Sequence[ChatMessage],
    records: Sequence[str],
) -> tuple[PrivateRows, int]:
    """Return rows that differ from the public one by a record before the last turn.

    With them the public prompt's length in tokens.
    """
    *earlier, last = messages
    public_ids = served.engine.prompt_ids(messages)

    def render(record: str) -> list[int]:
        content = served.record_template.replace("{prompt}", last.content)
        content = content.replace("{record}", record)
        return served.engine.prompt_ids([*earlier, replace(last, content=content)])

    rows = build_rows(policy, public_ids=public_ids, render=render, records=records)
    return rows, len(public_ids)
