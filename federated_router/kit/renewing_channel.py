"""A channel that is dialled anew when its owner's certificate was renewed.

Decides that new calls go by the newest certificate and that running ones may end on
the connection that they began on. Refuses to know certificates: a number that grows
says that they changed.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import grpc

FINISH_S: Final = 300.0
"""How long calls may run on behind a certificate that was replaced."""


class RenewingChannel(grpc.aio.Channel):  # type: ignore[misc] # grpc is untyped.
    """Stands for one channel at a time; stubs made from it outlive each of them."""

    def __init__(
        self,
        dial: Callable[[], grpc.aio.Channel],
        *,
        generation: Callable[[], int],
        finish_s: float = FINISH_S,
    ) -> None:
        self._dial = dial
        self._read_generation = generation
        self._finish_s = finish_s
        self._generation = generation()
        self._channel = dial()
        self._finishing: dict[grpc.aio.Channel, asyncio.Task[None]] = {}

    def current(self) -> grpc.aio.Channel:
        """Return the channel for the next call."""
        generation = self._read_generation()
        if generation != self._generation:
            self._generation = generation
            old, self._channel = self._channel, self._dial()
            self._finishing[old] = asyncio.ensure_future(self._finish(old))
        return self._channel

    async def close(self, grace: float | None = None) -> None:
        """Close the channel, and those that still finish."""
        finishing = dict(self._finishing)
        for channel in finishing:
            await channel.close(grace)
        await asyncio.gather(*finishing.values(), return_exceptions=True)
        await self._channel.close(grace)

    async def _finish(self, channel: grpc.aio.Channel) -> None:
        try:
            await channel.close(grace=self._finish_s)
        finally:
            del self._finishing[channel]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close(None)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - grpc's.
        """Return the state of the channel for the next call."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(
        self, last_observed_state: grpc.ChannelConnectivity
    ) -> None:
        """Wait as grpc does, on the channel for the next call."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait as grpc does, on the channel for the next call."""
        await self.current().channel_ready()

    def unary_unary(self, *given: object, **named: object) -> "_Call":
        """Return what calls by the newest channel."""
        return _Call(self, "unary_unary", given, named)

    def unary_stream(self, *given: object, **named: object) -> "_Call":
        """Return what calls by the newest channel."""
        return _Call(self, "unary_stream", given, named)

    def stream_unary(self, *given: object, **named: object) -> "_Call":
        """Return what calls by the newest channel."""
        return _Call(self, "stream_unary", given, named)

    def stream_stream(self, *given: object, **named: object) -> "_Call":
        """Return what calls by the newest channel."""
        return _Call(self, "stream_stream", given, named)


class _Call:
    """One method of a stub, made again for each channel."""

    def __init__(
        self,
        owner: RenewingChannel,
        kind: str,
        given: tuple[object, ...],
        named: dict[str, object],
    ) -> None:
        self._owner = owner
        self._kind, self._given, self._named = kind, given, named
        self._channel: grpc.aio.Channel | None = None
        self._call: Callable[..., object] = self.__call__

    def __call__(self, *given: object, **named: object) -> object:
        """Call by the channel of the moment."""
        channel = self._owner.current()
        if channel is not self._channel:
            make = getattr(channel, self._kind)
            self._channel, self._call = channel, make(*self._given, **self._named)
        return self._call(*given, **named)
