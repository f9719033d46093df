"""Starts and stops a local federation: each daemon its own process on loopback."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from federated_router.cli.connection import TRUST_DOMAIN, Federation
from federated_router.cli.local_node import node_toml
from federated_router.cli.local_plan import (
    DaemonPlan,
    Layout,
    NodePlan,
    coordinator_toml,
    node_plans,
    router_toml,
)
from federated_router.kit.authority import Authority, IdentityFiles
from federated_router.kit.identity import Identity, Role

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
HOSTS = ("localhost", "127.0.0.1")
SECOND_OPERATOR = "operator-2"
"""Approves what `operator` proposes, where two people must agree."""
Say = Callable[[str], None]


class DaemonFailed(Exception):
    """A daemon ended, or did not become ready in time; its log says why."""


@dataclass(slots=True)
class LocalFederation:
    """Router, nodes and coordinator below one folder; one `up.json` describes them."""

    layout: Layout
    nodes: tuple[NodePlan, ...]
    say: Say
    plans: dict[str, DaemonPlan] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        directory: Path,
        *,
        models: Mapping[str, Path],
        nodes: int,
        say: Say,
        more: tuple[NodePlan, ...] = (),
    ) -> "LocalFederation":
        """Plan a federation of `nodes` nodes, and `more`, below `directory`."""
        layout = Layout(directory.resolve(), models)
        return cls(layout, (*node_plans(nodes), *more), say)

    def prepare(self) -> None:
        """Write certificates and configurations; stop whatever ran here before."""
        stop(self.layout)
        for folder in ("config", "logs", "run", "state"):
            (self.layout.directory / folder).mkdir(parents=True, exist_ok=True)
        router, coordinator, *nodes = _addresses(len(self.nodes) + 2)
        self._plan(Role.COORDINATOR, "coordinator", coordinator, "coordinator")
        self._plan(Role.ROUTER, "router", router, "federated_router")
        for plan, address in zip(self.nodes, nodes, strict=True):
            self._plan(Role.NODE, plan.id, address, "node")
        self._write_configurations(router, coordinator)
        issue_local(
            self.layout.pki(),
            [(plan.role, plan.id) for plan in self.plans.values()],
        )

    def start(self) -> None:
        """Start every daemon and wait until all serve; raise DaemonFailed."""
        for name in self.plans:
            self.launch(name)
        for name in self.plans:
            self.wait_ready(name)

    def launch(self, name: str) -> None:
        """Start one daemon without waiting."""
        plan = self.plans[name]
        self.layout.ready(name).unlink(missing_ok=True)
        self.layout.state(name).mkdir(parents=True, exist_ok=True)
        with self.layout.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 - our own modules.
                [
                    sys.executable,
                    "-m",
                    plan.module,
                    "--config",
                    str(self.layout.config(name)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
            )
        pids = {name: process.pid for name, process in self.processes.items()}
        self.layout.pids().write_text(json.dumps(pids), encoding="utf-8")

    def wait_ready(self, name: str) -> None:
        """Return once the daemon serves; raise DaemonFailed with its last lines."""
        end_s = time.monotonic() + START_TIMEOUT_S
        while not self.layout.ready(name).exists():
            if self.processes[name].poll() is not None or time.monotonic() > end_s:
                raise DaemonFailed(
                    f"'{name}' did not start. Its log {self.layout.log(name)} ends:\n"
                    + _tail(self.layout.log(name))
                )
            time.sleep(0.05)
        self.say(f"{name} serves at {self.plans[name].address}")

    def kill(self, name: str) -> None:
        """Kill one daemon at once, as a power cut would."""
        process = self.processes[name]
        process.kill()
        process.wait()

    def describe(self) -> dict[str, object]:
        """Return what `up.json` holds."""
        pki = self.layout.pki()
        return {
            "router": {"address": self.plans["router"].address},
            "coordinator": {"address": self.plans["coordinator"].address},
            "nodes": [
                {
                    "name": f"nodes/{node.id}",
                    "address": self.plans[node.id].address,
                    "region": node.region,
                    "models": [f"models/{model}" for model, _ in node.models],
                }
                for node in self.nodes
            ],
            "ca": str(pki / "ca.crt"),
            "client": {"cert": str(pki / "alice.crt"), "key": str(pki / "alice.key")},
            "operator": {
                "cert": str(pki / "operator.crt"),
                "key": str(pki / "operator.key"),
            },
            "second_operator": {
                "cert": str(pki / f"{SECOND_OPERATOR}.crt"),
                "key": str(pki / f"{SECOND_OPERATOR}.key"),
            },
            "logs": str(self.layout.directory / "logs"),
        }

    def write_description(self, path: Path) -> Federation:
        """Write `up.json` and return it as a federation to call."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.describe(), indent=2) + "\n", encoding="utf-8")
        return Federation.load(path)

    def _plan(self, role: Role, name: str, address: str, module: str) -> None:
        self.plans[name] = DaemonPlan(role, name, address, module)

    def _write_configurations(self, router: str, coordinator: str) -> None:
        layout = self.layout
        layout.config("coordinator").write_text(
            coordinator_toml(layout, "coordinator", coordinator, nodes=self.nodes),
            encoding="utf-8",
        )
        layout.config("router").write_text(
            router_toml(layout, "router", router, coordinator), encoding="utf-8"
        )
        for node in self.nodes:
            address = self.plans[node.id].address
            text = node_toml(
                layout, node, address, router=router, coordinator=coordinator
            )
            layout.config(node.id).write_text(text, encoding="utf-8")


def issue_local(
    directory: Path, daemons: Sequence[tuple[Role, str]]
) -> dict[str, IdentityFiles]:
    """Make the authority and every certificate of a local federation."""
    authority = Authority.open(directory, trust_domain=TRUST_DOMAIN)
    people = [
        (Role.CLIENT, "alice"),
        (Role.OPERATOR, "operator"),
        (Role.OPERATOR, SECOND_OPERATOR),
    ]
    return {
        peer_id: authority.issue(
            Identity(role=role, id=peer_id, trust_domain=TRUST_DOMAIN),
            directory,
            hosts=HOSTS,
        )
        for role, peer_id in (*daemons, *people)
    }


def stop(layout: Layout) -> int:
    """Stop every process of this folder and remove the folder; return how many."""
    processes = _running(layout)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    _, deaf = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)
    for process in deaf:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(deaf, timeout=STOP_TIMEOUT_S)
    shutil.rmtree(layout.directory, ignore_errors=True)
    return len(processes)


def _pids(layout: Layout) -> list[int]:
    try:
        content = json.loads(layout.pids().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [int(pid) for pid in content.values()]


def _running(layout: Layout) -> list[psutil.Process]:
    """Return the processes that are ours: a pid may have been given away since."""
    found = []
    for pid in _pids(layout):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if any(str(layout.directory) in part for part in process.cmdline()):
                found.append(process)
    return found


def _addresses(count: int) -> list[str]:
    """Return free loopback addresses; all are held until the last is known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _tail(path: Path, lines: int = 12) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
