"""Environments of compared systems: made on demand, each with pinned packages.

Decides the versions, and that a peer which cannot be installed is left out with a
message instead of failing the benchmark. Refuses to touch this project's environment.
"""

import json
import subprocess
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("build/bench-peers")
INSTALL_TIMEOUT_S = 1800.0
RUN_TIMEOUT_S = 900.0
_SCRIPTS = Path(__file__).parent


class PeerUnavailable(Exception):
    """The peer cannot be installed or does not run; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A compared system: its environment's name, its packages, and our script.

    Of the packages in `loosened` any version will do, whatever the first package, which
    has the extra `extra`, says: the registries need not have the very newest of them.
    """

    name: str
    packages: tuple[str, ...]
    script: str = ""
    extra: str = ""
    loosened: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its environment lies."""
        return FOLDER / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"


FLOWER = Peer("flower", ("flwr==1.41.0", "numpy==2.4.6"), "flower_secagg.py")
NVFLARE = Peer(
    "nvflare",
    ("nvflare==2.9.0", "tenseal==0.3.18", "numpy==2.4.6"),
    "nvflare_he.py",
)
LITELLM = Peer(
    "litellm",
    ("litellm==1.109.1",),
    extra="proxy",
    loosened=("certifi", "litellm-enterprise", "litellm-proxy-extras"),
)


def run(peer: Peer, *arguments: int, say: Callable[[str], None]) -> Mapping[str, float]:
    """Return the figures that the peer's script prints; raise PeerUnavailable."""
    install(peer, say)
    command = (
        str(peer.python),
        str(_SCRIPTS / peer.script),
        *map(str, arguments),
    )
    try:
        done = subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=RUN_TIMEOUT_S
        )
    except subprocess.SubprocessError as error:
        raise PeerUnavailable(f"{peer.name}: {_why(error)}") from error
    return figures_in(done.stdout)


def figures_in(output: str) -> Mapping[str, float]:
    """Return the last line of a script's output as figures; raise PeerUnavailable."""
    lines = output.splitlines()
    try:
        found: dict[str, float] = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError) as error:
        raise PeerUnavailable("The peer's script printed no figures.") from error
    return found


def install(peer: Peer, say: Callable[[str], None]) -> None:
    """Make the environment unless it holds exactly these packages already.

    Raises PeerUnavailable where that does not work.
    """
    mark = peer.folder / "installed"
    wanted = "\n".join(peer.packages)
    if mark.exists() and mark.read_text("utf-8") == wanted:
        return
    say(f"Installing {', '.join(peer.packages)} into {peer.folder}.")
    venv.create(peer.folder, with_pip=True, clear=True)
    try:
        if peer.loosened:
            _pip(peer, "--no-deps", *peer.packages)
            _pip(peer, *_requirements(peer))
        else:
            _pip(peer, *peer.packages)
    except subprocess.SubprocessError as error:
        raise PeerUnavailable(f"{peer.name}: {_why(error)}") from error
    mark.write_text(wanted, encoding="utf-8")


def _pip(peer: Peer, *arguments: str) -> None:
    _done(str(peer.python), "-m", "pip", "install", "--quiet", *arguments)


def _requirements(peer: Peer) -> list[str]:
    """Return what the installed package needs, without the bounds of `loosened`."""
    package, *_ = peer.packages[0].partition("==")
    script = str(_SCRIPTS / "loosened.py")
    told = _done(str(peer.python), script, package, peer.extra, *peer.loosened)
    return told.splitlines()


def _done(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=INSTALL_TIMEOUT_S
    ).stdout


def _why(error: subprocess.SubprocessError) -> str:
    """Return the last line that a command said about its end."""
    said = getattr(error, "stderr", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return text.strip().splitlines()[-1] if text.strip() else type(error).__name__
