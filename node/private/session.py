"""One private generation, stepped by the engine in the model thread.

Decides the order of work of a private request: forward pass, draw, append. Refuses to
know gRPC, accounts and text. Logits and probabilities never leave this object; the
sampled tokens and their number do.
"""

import secrets
from collections.abc import Collection
from enum import Enum

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from federated_router.kit.errors import Internal
from federated_router.privacy.charge import charge_units
from federated_router.privacy.policy import PrivatePolicy
from node.engine.device_map import input_device
from node.private.credit import Credit
from node.private.rows import PrivateRows
from node.private.token_mechanism import (
    Live,
    Logits,
    RandomBelow,
    TokenWeights,
    candidates,
    token_weights,
)


class SessionState(Enum):
    """Where a private generation stands: OPEN, then ENDED or CLOSED for good."""

    OPEN = "open"
    ENDED = "ended"  # An end token was sampled, or as many tokens as allowed.
    CLOSED = "closed"  # The caller went away, or a step failed.


class RowDecoder:
    """A model run on rows of one fixed shape, which all take the same next token.

    Prefill has shape (rows, L_max), every later pass (rows, 1); no other request ever
    shares a pass. Position ids follow the attention mask, so left padding is invisible
    to a row.
    """

    def __init__(self, model: PreTrainedModel, rows: PrivateRows) -> None:
        self._model = model
        self._device = input_device(model)
        self._attention = torch.as_tensor(rows.attention, device=self._device)
        self._pending = torch.as_tensor(rows.token_ids, device=self._device)
        self._positions = (self._attention.cumsum(dim=1) - 1).clamp(min=0)
        self._cache: DynamicCache | None = DynamicCache(config=model.config)

    @torch.inference_mode()
    def forward(self) -> torch.Tensor:
        """Run the pending tokens; return the last position's logits, (rows, V).

        Raises:
            Internal: the decoder was released.
        """
        if self._cache is None:
            raise Internal("The private session is over; its cache is gone.")
        output = self._model(
            input_ids=self._pending,
            attention_mask=self._attention,
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1, :]
        return logits

    def append(self, token_id: int) -> None:
        """Make `token_id` every row's next token."""
        rows = self._attention.shape[0]
        column = self._attention.new_ones((rows, 1))
        self._attention = torch.cat((self._attention, column), dim=1)
        self._positions = self._positions[:, -1:] + 1
        self._pending = column * token_id

    def release(self) -> None:
        """Drop the cache and the rows; idempotent."""
        self._cache = None
        self._pending = self._pending[:, :0]
        self._attention = self._attention[:, :0]


class PrivateSession:
    """A Stepper that draws differentially private tokens from private rows.

    It draws no more tokens than `credit` covers; a step beyond gives its turn away.

    `end_ids` end the answer and count as sampled tokens. `banned_ids` are never drawn;
    the set must be public, such as the tokenizer's special tokens. Make and step it in
    the model thread; `close` from there or once no step can run.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        policy: PrivatePolicy,
        rows: PrivateRows,
        *,
        credit: Credit,
        end_ids: Collection[int],
        banned_ids: Collection[int] = (),
        random_below: RandomBelow = secrets.randbelow,
    ) -> None:
        if rows.token_ids.shape != (policy.slots + 1, policy.row_tokens_max):
            raise Internal("The rows do not have the shape that the policy fixes.")
        self._policy = policy
        self._credit = credit
        self._live: Live = rows.live
        self._end_ids = frozenset(end_ids)
        self._banned_ids = np.array(
            sorted(set(banned_ids) - self._end_ids), dtype=np.intp
        )
        self._random_below = random_below
        self._decoder = RowDecoder(model, rows)
        self._state = SessionState.OPEN
        self._tokens_sampled = 0

    @property
    def state(self) -> SessionState:
        """Return where the generation stands."""
        return self._state

    @property
    def tokens_sampled(self) -> int:
        """Return how many tokens were drawn, an upper bound should a step fail."""
        return self._tokens_sampled

    @property
    def charge_units(self) -> int:
        """Return what the tokens drawn so far cost."""
        return charge_units(self._policy, tokens_sampled=self._tokens_sampled)

    def step(self) -> tuple[int, bool] | None:
        """Draw one token; return it and whether it is the last.

        None where the credit covers no further token yet: nothing was run or drawn.

        Raises:
            Internal: the generation is over, or the model failed.
            GrantNotExtended: no further token was granted in time.
        """
        if self._state is not SessionState.OPEN:
            raise Internal("The private session is over; no further token is drawn.")
        try:
            if not self._credit.covers(self._tokens_sampled):
                return None
            return self._drawn_step()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the cache; idempotent. An ended session stays ended."""
        if self._state is SessionState.OPEN:
            self._state = SessionState.CLOSED
        self._decoder.release()

    def _drawn_step(self) -> tuple[int, bool]:
        weights = self._weights(self._decoder.forward())
        # Counted before the draw: a failure in between overcharges by one token.
        self._tokens_sampled += 1
        token_id = weights.draw(random_below=self._random_below)
        last = (
            token_id in self._end_ids or self._tokens_sampled >= self._policy.tokens_max
        )
        if last:
            self._state = SessionState.ENDED
            self.close()
        else:
            self._decoder.append(token_id)
        return token_id, last

    def _weights(self, logits: torch.Tensor) -> TokenWeights:
        """Weigh the candidates; only their columns of the private rows are read."""
        public = _on_host(logits[0])
        public[self._banned_ids] = -np.inf
        token_ids = candidates(self._policy, public)
        columns = torch.as_tensor(token_ids, device=logits.device)
        return token_weights(
            self._policy,
            token_ids=token_ids,
            public=public[token_ids],
            slots=_on_host(logits[1:].index_select(1, columns)),
            live=self._live,
        )


def _on_host(logits: torch.Tensor) -> Logits:
    """Return a float32 copy; widening bfloat16 is exact, row by row."""
    copied: Logits = logits.to(dtype=torch.float32, device="cpu").numpy().copy()
    return copied
