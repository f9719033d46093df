"""What one measured federation is: how many members, which vector, what is simulated.

Decides the terms of the rounds and the names of the files. Refuses to start anything.
"""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from coordinator.priors.settings import CatalogueSettings
from federated_router.kit.identity import Role
from tests.bench.bench_identities import Identities

VALUES_MAX = 2_048
"""Values that one ciphertext holds, and the peers' vectors have."""

REGIONS = tuple(f"region-{number}" for number in range(1, 6))
NOISE_SCALE = 40.0
STATE_S = 1_800.0
"""The longest stay in a state: far more than any takes, so that no deadline is met."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A federation below `folder`; `simulated` is said in `round_simulated`."""

    folder: Path
    size: int
    workers: int
    simulated: bool = False

    @property
    def identities(self) -> Identities:
        """The federation's certificates."""
        return Identities(self.folder / "pki")

    @property
    def member_ids(self) -> tuple[str, ...]:
        """Ids of the nodes that are members."""
        return tuple(f"node-{number:04d}" for number in range(1, self.size + 1))

    def part(self, worker: int) -> tuple[str, ...]:
        """Return the members that one worker process runs."""
        return self.member_ids[worker :: self.workers]

    def issue(self) -> None:
        """Make every certificate."""
        for role, peer_id in (
            (Role.COORDINATOR, "main"),
            (Role.OPERATOR, "op"),
            *((Role.NODE, member_id) for member_id in self.member_ids),
        ):
            self.identities.issue(role, peer_id)

    def save(self) -> Path:
        """Write the plan for a worker; return the file."""
        path = self.folder / "plan.json"
        content = asdict(self) | {"folder": str(self.folder)}
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Read what `save` wrote."""
        content = json.loads(path.read_text("utf-8"))
        return cls(**(content | {"folder": Path(content["folder"])}))


@lru_cache(maxsize=1)
def catalogue() -> CatalogueSettings:
    """Return the largest layout of these regions whose vector fits one ciphertext."""
    models = 1
    while _of_models(models + 1).catalogue().vector_length <= VALUES_MAX:
        models += 1
    return _of_models(models)


def _of_models(models: int) -> CatalogueSettings:
    return CatalogueSettings(
        models=tuple(f"model-{number:02d}" for number in range(1, models + 1)),
        regions=REGIONS,
        samples_min=0,
    )


def coordinator_toml(plan: Plan, *, address: str, ready: Path) -> str:
    """Return the configuration of the coordinator, production's but for deadlines."""
    tls = plan.identities.tls(Role.COORDINATOR, "main")
    layout = catalogue()
    states = ("joining", "revealing", "collecting", "checking", "summing", "opening")
    durations = "\n".join(f"{state}_s = {STATE_S}" for state in states)
    return f"""\
[tls]
certificate = "{tls.certificate.resolve()}"
private_key = "{tls.private_key.resolve()}"
authority = "{tls.authority.resolve()}"

[server]
address = "{address}"
ready_file = "{ready.resolve()}"
calls_max = {max(1_024, 4 * plan.size)}
call_timeout_s = 300.0
stop_grace_s = 1.0

[log]
level = "info"

[store]
url = "sqlite+aiosqlite:///{plan.folder.resolve() / "rounds.sqlite"}"
timeout_s = 60.0

[catalogue]
models = {json.dumps(layout.models)}
regions = {json.dumps(layout.regions)}
samples_min = 0

[budget]
url = "sqlite+aiosqlite:///{plan.folder.resolve() / "ledger.sqlite"}"
audit_key = "{plan.folder.resolve() / "audit-key.pem"}"

[rounds.budget]
epsilon = 1000

[rounds]
noise_scale = {NOISE_SCALE}
members_max = {max(200, plan.size)}
{durations}
"""
