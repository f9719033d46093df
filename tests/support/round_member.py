"""Members of a test federation: certificates, vaults and exact noise.

A member here is the product's own; only its noise may be switched off, so that sums
can be compared with `==`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from federated_router.federation.credentials import Credentials
from federated_router.federation.member import Member
from federated_router.federation.round_view import RoundsClient
from federated_router.federation.statistics import Statistics
from federated_router.federation.terms_verification import Floor
from federated_router.federation.vault import Vault
from federated_router.kit.authority import Authority, IdentityFiles
from federated_router.kit.clock import Clock
from federated_router.kit.identity import Identity, Role
from federated_router.privacy.noise import NoiseSource

NAMES = ("node/node-1", "node/node-2", "node/node-3", "router/router-1")
TRUST_DOMAIN = "test.federation"
FLOOR = Floor(noise_scale_min=1.0, participation_min=0.5, members_min=3)
KEY_LIFETIME_S = 86_400.0


def no_noise(length: int, sigma: float) -> Sequence[int]:
    """Return zeros: sums in tests are exact."""
    assert sigma > 0
    return [0] * length


@dataclass(frozen=True, slots=True)
class Certificates:
    """Issues identities of one authority into one directory."""

    directory: Path
    trust_domain: str = TRUST_DOMAIN

    def issue(self, name: str) -> IdentityFiles:
        """Return the files of `role/id`."""
        role, _, peer_id = name.partition("/")
        authority = Authority.open(
            self.directory / "authority", trust_domain=self.trust_domain
        )
        identity = Identity(Role(role), peer_id, self.trust_domain)
        return authority.issue(
            identity, self.directory / role / peer_id, hosts=["127.0.0.1", "localhost"]
        )

    def credentials(self, name: str) -> Credentials:
        """Return `role/id` as a member."""
        files = self.issue(name)
        return Credentials.load(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        )


@dataclass(slots=True)
class RunningMember:
    """A member and what it is made of."""

    member: Member
    vault: Vault
    statistics: Statistics
    credentials: Credentials

    async def close(self) -> None:
        """Close the vault."""
        await self.vault.close()


async def start_member(
    credentials: Credentials,
    *,
    client: RoundsClient,
    directory: Path,
    clock: Clock,
    noise: NoiseSource = no_noise,
    floor: Floor = FLOOR,
) -> RunningMember:
    """Open the member's vault in `directory` and recover what it holds."""
    statistics = Statistics()
    vault = await Vault.open(
        directory / f"{credentials.member.replace('/', '-')}.sqlite",
        credentials=credentials,
        key_lifetime_s=KEY_LIFETIME_S,
        clock=clock,
    )
    member = Member(
        credentials=credentials,
        client=client,
        vault=vault,
        statistics=statistics,
        floor=floor,
        clock=clock,
        noise=noise,
    )
    await member.recover()
    return RunningMember(member, vault, statistics, credentials)
