"""How the command reaches a running federation: addresses and an identity.

Both come from `build/up.json`, which `local up` writes, or from options.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role

TRUST_DOMAIN = "federation.internal"
UP_FILE = Path("build/up.json")


class NotRunning(Exception):
    """No federation is described where one was expected."""


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node as `up.json` names it."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Federation:
    """Where the daemons of a federation listen, and with which identities to call."""

    router: str
    coordinator: str
    nodes: tuple[NodeAddress, ...]
    client: TlsSettings
    operator: TlsSettings
    second_operator: TlsSettings | None = None

    @classmethod
    def load(cls, path: Path = UP_FILE) -> "Federation":
        """Return the federation that `path` describes; raise NotRunning."""
        try:
            return cls._of(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise NotRunning(f"{path} is missing: start one with `make up`.") from None
        except (KeyError, TypeError, ValueError) as error:
            raise NotRunning(
                f"{path} does not describe a federation ({error!r}); deploy/README.md "
                "shows one that does."
            ) from None

    @classmethod
    def _of(cls, content: dict[str, Any]) -> "Federation":
        authority = Path(content["ca"])
        return cls(
            router=content["router"]["address"],
            coordinator=content["coordinator"]["address"],
            nodes=tuple(
                NodeAddress(node["name"], node["address"]) for node in content["nodes"]
            ),
            client=_tls(content["client"], authority),
            operator=_tls(content["operator"], authority),
            second_operator=_tls(content["second_operator"], authority)
            if "second_operator" in content
            else None,
        )

    @asynccontextmanager
    async def channel(
        self, role: Role, *, node: str = "", as_client: TlsSettings | None = None
    ) -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel to the router, the coordinator or a named node.

        Raises NotRunning where a file of the identity is missing.
        """
        try:
            channels = Channels(as_client or self.operator, trust_domain=TRUST_DOMAIN)
        except OSError as error:
            raise NotRunning(
                f"{error.filename} cannot be read ({error.strerror}). Is its "
                "federation still there?"
            ) from error
        channel = channels.open(self.address(role, node), role=role)
        try:
            yield channel
        finally:
            await channel.close(grace=None)

    def address(self, role: Role, node: str = "") -> str:
        """Return where the router, the coordinator or a named node listens."""
        if role is Role.NODE:
            return next(one.address for one in self.nodes if one.name == node)
        return self.router if role is Role.ROUTER else self.coordinator

    def as_operator(self, certificate: Path, private_key: Path) -> TlsSettings:
        """Return the identity of another operator of this federation."""
        return TlsSettings(
            certificate=certificate,
            private_key=private_key,
            authority=self.operator.authority,
        )


def _tls(files: dict[str, str], authority: Path) -> TlsSettings:
    return TlsSettings(
        certificate=Path(files["cert"]),
        private_key=Path(files["key"]),
        authority=authority,
    )
