"""How long chunks of one stream gather before they leave together. Pure.

Decides it by how many streams this router relays now: each message that leaves costs
the one processor that all of them share, so with many streams each waits a little
longer and takes more along. Refuses to know what is gathered.
"""

from federated_router.proxy.settings import ProxySettings


class Pace:
    """The pace of one router's streams; who begins one owes an `ended`."""

    __slots__ = ("_settings", "running")

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self.running = 0

    def begun(self) -> None:
        """Count one more stream."""
        self.running += 1

    def ended(self) -> None:
        """Count one stream less."""
        self.running -= 1

    @property
    def gather_s(self) -> float:
        """Return the least time between two messages of a stream, in seconds."""
        settings = self._settings
        shared_s = self.running * settings.stream_gather_each_s
        return max(
            settings.stream_gather_s, min(shared_s, settings.stream_gather_s_max)
        )
