"""A federation of real processes whose coordinator takes enrolled members only.

Operators act by the command line, as they would: `federated-router member ...`.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from tests.support.processes import Processes

NEW = "node-3"
"""The last node: it has no certificate until an operator enrols it."""
REQUIRED = """
[members]
enrolment = "required"
renewal_poll_s = 0.5
"""


@dataclass(slots=True)
class EnrolledFederation:
    """Router, coordinator and nodes; all but the newest node are enrolled."""

    processes: Processes
    description: Path

    @classmethod
    def prepared(cls, directory: Path, model: Path) -> "EnrolledFederation":
        """Write certificates and configurations; start nothing."""
        processes = Processes.prepared(directory, model, nodes=3)
        processes.configure("coordinator", extra=REQUIRED)
        pki = processes.layout.pki()
        for file in (pki / f"{NEW}.crt", pki / f"{NEW}.key"):
            file.unlink()
        description = directory / "up.json"
        processes.local.write_description(description)
        return cls(processes, description)

    @property
    def enrolled(self) -> list[str]:
        """The ids of the daemons that take part from the start."""
        return ["router", *(node for node in self.processes.nodes if node != NEW)]

    def member(self, name: str) -> str:
        """Return a daemon's name as rounds know it."""
        return f"router/{name}" if name == "router" else f"node/{name}"

    def certificate(self, name: str) -> x509.Certificate:
        """Return the certificate that lies in a daemon's file."""
        path = self.processes.layout.pki() / f"{name}.crt"
        return x509.load_pem_x509_certificate(path.read_bytes())

    async def enrol(self, name: str, *options: str) -> str:
        """Enrol a daemon: by its certificate, or by one that is issued now."""
        pki = self.processes.layout.pki()
        return await self.command(
            "enrol",
            self.member(name),
            "--out",
            str(pki),
            "--authority",
            str(pki),
            *options,
        )

    async def revoke(self, name: str) -> str:
        """Revoke a daemon's membership."""
        pki = self.processes.layout.pki()
        return await self.command(
            "revoke", self.member(name), "--authority", str(pki), "--cause", "left"
        )

    async def renew(self) -> str:
        """Sign every renewal that waits."""
        pki = self.processes.layout.pki()
        return await self.command("renew", "--authority", str(pki), "--yes")

    async def shown(self, name: str) -> dict[str, object]:
        """Return a member as `member show --json` tells it."""
        text = await self.command("show", self.member(name), "--json")
        found: dict[str, object] = json.loads(text)
        return found

    async def command(self, *arguments: str) -> str:
        """Run `federated-router member ...` and return what it prints; it succeeds."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "federated_router.cli",
            "member",
            *arguments,
            "--federation",
            str(self.description),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err.decode()
        return out.decode()
