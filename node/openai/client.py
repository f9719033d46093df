"""The HTTP client of one server behind the OpenAI API.

Decides what a connection may be: TLS by the configured authority, each request under
the key of `key_file`, no redirect, no proxy, limits on time and size. Refuses to know
answers and queues.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Final

import httpx2

from federated_router.kit.errors import Draining
from node.model_settings import UpstreamSettings
from node.openai.key_file import KeyFile
from node.openai.refusals import away, failure_of, refusal_of
from node.openai.request import MODELS_PATH, PATH, Body

REFUSAL_BYTES_MAX: Final = 64 * 1024
_OK: Final = 200


class UpstreamClient:
    """Asks one server; `open` it and `close` it on one event loop.

    `transport` replaces the network in tests. The key is in no repr and no error.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        *,
        connections: int,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        # One more, so that a probe never waits for an answer.
        self._connections = connections + 1
        self._transport = transport
        path = settings.api_key_file
        self._key_file = None if path is None else KeyFile(path)
        self._client: httpx2.AsyncClient | None = None

    async def open(self) -> None:
        """Read the key and the authority's certificate; connect to nothing.

        Raises:
            ValueError: one of the files is not what it should be.
        """
        self._client = await asyncio.to_thread(self._made)

    async def close(self) -> None:
        """Close every connection; idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def probe(self) -> None:
        """Return if the server says that it is well, or lists its models.

        Raises:
            FederationError: it does not answer, or refuses this node's key.
        """
        limit_s = self._settings.connect_timeout_s * 2
        url = _health_url(self._settings)
        try:
            async with asyncio.timeout(limit_s), self._responding("GET", url):
                pass
        except TimeoutError:
            raise away("The server that runs this model does not answer.") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise failure_of(error) from None

    def completing(
        self, body: Body
    ) -> contextlib.AbstractAsyncContextManager[httpx2.Response]:
        """Return a streamed chat completion that the server has begun.

        Leaving it before its end closes the connection, which is how the server learns
        that nobody waits. Entering it raises:
            FederationError: the server refuses the request.
            httpx2.HTTPError: the connection failed.
        """
        return self._responding("POST", PATH, body)

    @contextlib.asynccontextmanager
    async def _responding(
        self, method: str, path: str, body: Body | None = None
    ) -> AsyncIterator[httpx2.Response]:
        if self._client is None:
            raise Draining("The engine is stopped; ask another node.")
        client, headers = self._client, await self._authorization()
        async with client.stream(method, path, json=body, headers=headers) as response:
            if response.status_code != _OK:
                content = await _refusal_in(response)
                raise refusal_of(response.status_code, content, response.headers)
            yield response

    async def _authorization(self) -> dict[str, str]:
        """Return the header that names this node, under the key as it is now."""
        if self._key_file is None:
            return {}
        return {"authorization": f"Bearer {await self._key_file.key()}"}

    def _made(self) -> httpx2.AsyncClient:
        settings = self._settings
        if self._key_file is not None:
            self._key_file.read()
        return httpx2.AsyncClient(
            base_url=str(settings.base_url).rstrip("/") + "/",
            headers={"accept-encoding": "identity"},
            timeout=httpx2.Timeout(
                settings.idle_timeout_s,
                connect=settings.connect_timeout_s,
                pool=settings.connect_timeout_s,
            ),
            limits=httpx2.Limits(
                max_connections=self._connections,
                max_keepalive_connections=self._connections,
            ),
            verify=_trust(settings),
            # Neither a redirect nor a proxy of the environment gets prompts or the key.
            follow_redirects=False,
            trust_env=False,
            transport=self._transport,
        )


def _health_url(settings: UpstreamSettings) -> str:
    """Return where to ask, on the same server: the key goes nowhere else."""
    if settings.health_path is None:
        return MODELS_PATH
    url = settings.base_url
    return f"{url.scheme}://{url.host}:{url.port}{settings.health_path}"


def _trust(settings: UpstreamSettings) -> ssl.SSLContext:
    """Return whom the connection trusts: over plain HTTP nobody who offers TLS."""
    if settings.base_url.scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise ValueError(f"ca_file cannot be used: {error.strerror}") from None


async def _refusal_in(response: httpx2.Response) -> object:
    """Return a refusal's JSON; None where it is not JSON or too large."""
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) > REFUSAL_BYTES_MAX:
            return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
