"""Embeddings of prompts: made in a thread, remembered for those who asked.

Decides how long a decision waits for one, how many prompts wait, and what is kept.
Refuses to know how a text becomes numbers (`encoder`) and what they are used for.

A decision waits until its deadline and goes without otherwise; what comes late is there
for the outcome. An embedding lies under a digest of the prompt and of whose it is: by
the time that an answer takes nobody learns what another tenant asked. The digest's key
is of this process alone, and no text is kept once it was read.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Final

from federated_router.choice import metrics
from federated_router.choice.projection import Reals
from federated_router.choice.settings import EmbeddingSettings
from federated_router.kit.log import get_logger
from federated_router.priors.prompt import Prompt

Embed = Callable[[Sequence[str]], Reals]
"""Returns a row of numbers for each text; raises ValueError or RuntimeError."""

_DIGEST_BYTES: Final = 16
_ENTRY_BYTES: Final = 256
"""What a remembered embedding takes beside its numbers."""

_log = get_logger(__name__)


class Embeddings:
    """Makes embeddings for the event loop's thread, as long as `run` does.

    `prepare` is called once in the thread that computes.
    """

    def __init__(
        self,
        settings: EmbeddingSettings,
        embed: Embed,
        *,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._embed = embed
        self._prepare = prepare
        self._secret = secrets.token_bytes(_DIGEST_BYTES)
        entry_bytes = 4 * settings.features + _ENTRY_BYTES
        self._known_max = max(1, settings.cache_bytes_max // entry_bytes)
        self._known: OrderedDict[bytes, Reals] = OrderedDict()
        self._waiting: OrderedDict[bytes, str] = OrderedDict()
        self._coming: dict[bytes, asyncio.Event] = {}
        self._work = asyncio.Event()

    @property
    def remembered(self) -> int:
        """How many embeddings are remembered."""
        return len(self._known)

    def key(self, prompt: Prompt, tenant: str) -> bytes:
        """Return the digest under which a tenant's prompt is remembered."""
        content = f"{tenant}\0{prompt.text}".encode("utf-8", "surrogatepass")
        return blake2b(content, digest_size=_DIGEST_BYTES, key=self._secret).digest()

    def known(self, key: bytes) -> Reals | None:
        """Return an embedding if it is there, of the shape (features,)."""
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    async def look(self, prompt: Prompt, tenant: str) -> None:
        """Have a prompt embedded, waiting no longer than a decision may."""
        key = self.key(prompt, tenant)
        if key in self._known:
            metrics.EMBEDDINGS.labels("remembered").inc()
            return
        coming = self._ask(key, prompt.text, self._settings.waiting_max)
        if coming is None:
            return
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                await coming.wait()
        except TimeoutError:
            metrics.EMBEDDINGS.labels("late").inc()

    def want(self, prompt: Prompt, tenant: str) -> None:
        """Have a prompt embedded for its outcome, while decisions leave room."""
        key = self.key(prompt, tenant)
        if key not in self._known:
            self._ask(key, prompt.text, self._settings.waiting_max // 2)

    async def run(self) -> None:
        """Embed what waits until cancelled."""
        thread = ThreadPoolExecutor(1, "embedding", self._prepare)
        try:
            while True:
                await self._work.wait()
                await self._embed_some(thread)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self, key: bytes, text: str, waiting_max: int) -> asyncio.Event | None:
        """Return what is set once the embedding is there; None where no room is."""
        coming = self._coming.get(key)
        if coming is not None:
            return coming
        if len(self._waiting) >= waiting_max:
            metrics.EMBEDDINGS.labels("no_room").inc()
            return None
        self._waiting[key] = text
        self._work.set()
        coming = self._coming[key] = asyncio.Event()
        return coming

    async def _embed_some(self, thread: ThreadPoolExecutor) -> None:
        count = min(len(self._waiting), self._settings.batch_max)
        some = [self._waiting.popitem(last=False) for _ in range(count)]
        if not self._waiting:
            self._work.clear()
        texts = [text for _, text in some]
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.run_in_executor(thread, self._embed, texts)
        except (ValueError, RuntimeError, IndexError) as error:
            # Decisions and outcomes go without; the next texts may be read again.
            _log.warning("embedding failed", cause=type(error).__name__)
            metrics.EMBEDDINGS.labels("failed").inc(count)
        else:
            self._remember([key for key, _ in some], rows)
            metrics.EMBEDDINGS.labels("made").inc(count)
        finally:
            for key, _ in some:
                self._coming.pop(key).set()

    def _remember(self, keys: Sequence[bytes], rows: Reals) -> None:
        for key, row in zip(keys, rows, strict=True):
            self._known[key] = row.copy()
        while len(self._known) > self._known_max:
            self._known.popitem(last=False)
