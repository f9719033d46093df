"""What a local federation consists of: daemons, their files and configurations.

Pure: it plans and renders; `local_federation` creates and starts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from federated_router.kit.identity import Role

NODES_MAX = 16
NOISE_SCALE = 4.0
ROUNDS_EPSILON = 200
"""Enough for dozens of rounds of little noise; a real federation wants far less."""
OUTCOME_WAIT_S = 30
"""Who tries things out wants to see outcomes counted, and has time to report one."""
CACHE_BYTES = 16 << 20
POLICIES = """
[[policies]]
name = "standard"
slots = 32
clip = "4"
temperature = "1"
top_k = 50
tokens_max = 12
row_tokens_max = 64

[[policies]]
name = "texts"
slots = 32
clip = "4"
temperature = "1"
top_k = 50
tokens_max = 60
row_tokens_max = 112
"""
"""Short answers from some records; and texts of a note's length, from a data set."""


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """One process to start."""

    role: Role
    id: str
    address: str
    module: str

    @property
    def name(self) -> str:
        """Return the id, which names the process's files."""
        return self.id


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What one node serves, where, and how many requests at once.

    `shard` is a model, and the layers [first, end) of it that the node runs for a
    pipeline. Whoever serves the model `leads` leads that pipeline.
    """

    id: str
    region: str
    models: tuple[tuple[str, int], ...]
    shard: tuple[str, int, int] | None = None
    leads: str | None = None


def node_plans(count: int) -> tuple[NodePlan, ...]:
    """Return nodes that differ in what a router can learn about them.

    Region north has one small machine that runs one request at a time; south has a
    large one, and one with the small model. Further nodes alternate.
    """
    first = (
        NodePlan("node-1", "north", (("reference-large", 1),)),
        NodePlan("node-2", "south", (("reference-large", 8),)),
        NodePlan("node-3", "south", (("reference-small", 8),)),
    )
    more = tuple(
        NodePlan(
            f"node-{number}",
            "north" if number % 2 else "south",
            (("reference-small" if number % 2 else "reference-large", 4),),
        )
        for number in range(len(first) + 1, count + 1)
    )
    return (*first, *more)[:count]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of one local federation lie, all below `directory`."""

    directory: Path
    models: Mapping[str, Path] = field(default_factory=dict)

    def pki(self) -> Path:
        """Return the folder of certificates."""
        return self.directory / "pki"

    def config(self, name: str) -> Path:
        """Return a daemon's configuration."""
        return self.directory / "config" / f"{name}.toml"

    def log(self, name: str) -> Path:
        """Return a daemon's log."""
        return self.directory / "logs" / f"{name}.log"

    def state(self, name: str) -> Path:
        """Return a daemon's folder of state."""
        return self.directory / "state" / name

    def audit_key(self, daemon: str) -> Path:
        """Return the key with which a router or coordinator signs its audit log."""
        return self.state(daemon) / "audit-key.pem"

    def ready(self, name: str) -> Path:
        """Return the file that a daemon writes once it serves."""
        return self.directory / "run" / f"{name}.ready"

    def pids(self) -> Path:
        """Return the file that lists the processes."""
        return self.directory / "run" / "pids.json"


def common_toml(layout: Layout, name: str, address: str) -> str:
    """Return the sections that every daemon has."""
    pki = layout.pki()
    return f"""\
[tls]
certificate = {toml_text(pki / f"{name}.crt")}
private_key = {toml_text(pki / f"{name}.key")}
authority = {toml_text(pki / "ca.crt")}

[server]
address = "{address}"
ready_file = {toml_text(layout.ready(name))}
stop_grace_s = 5.0

[ops]
statistics_readers = ["operator"]
"""


def member_toml(layout: Layout, name: str, coordinator: str) -> str:
    """Return the section by which a daemon takes part in rounds."""
    return f"""
[federation]
coordinator = "{coordinator}"
vault = {toml_text(layout.state(name) / "vault.sqlite")}
noise_scale_min = {NOISE_SCALE}
"""


def router_toml(layout: Layout, name: str, address: str, coordinator: str) -> str:
    """Return a router's configuration."""
    return (
        common_toml(layout, name, address)
        + f"""
[registry]
lease_s = 3.0

# All nodes are processes of this machine.
[trust]
default = "sensitive"

[choice]
outcome_wait_s = {OUTCOME_WAIT_S}

[cache.memory]
bytes_max = {CACHE_BYTES}

[footprint.carbon]
intensities = {{ north = 30.0, south = 350.0 }}

[budget]
url = {toml_text(f"sqlite+aiosqlite:///{layout.state(name) / 'ledger.sqlite'}")}
audit_key = {toml_text(layout.audit_key(name))}
"""
        + POLICIES
        + member_toml(layout, name, coordinator)
    )


def coordinator_toml(
    layout: Layout, name: str, address: str, *, nodes: Sequence[NodePlan]
) -> str:
    """Return a coordinator's configuration, with the catalogue of these nodes."""
    models = sorted({model for node in nodes for model, _ in node.models})
    regions = sorted({node.region for node in nodes})
    return (
        common_toml(layout, name, address)
        + f"""
[store]
url = {toml_text(f"sqlite+aiosqlite:///{layout.state(name) / 'rounds.sqlite'}")}

[budget]
url = {toml_text(f"sqlite+aiosqlite:///{layout.state(name) / 'ledger.sqlite'}")}
audit_key = {toml_text(layout.audit_key(name))}

[rounds]
noise_scale = {NOISE_SCALE}

[rounds.budget]
epsilon = {ROUNDS_EPSILON}
renewal = "monthly"

[catalogue]
models = {_list(models)}
regions = {_list(regions)}
# A federation on one machine sees too few requests to keep small cells back.
samples_min = 0
"""
    )


def toml_text(value: object) -> str:
    """Return a TOML string; JSON's escapes are TOML's."""
    return json.dumps(str(value), ensure_ascii=False)


def _list(items: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"
