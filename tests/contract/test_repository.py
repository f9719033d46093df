"""What a stranger finds in the repository holds: samples, errors, targets, paths."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.config import CoordinatorSettings
from federated_router.api.v1 import errors_pb2
from federated_router.config import RouterSettings
from federated_router.kit.config import DaemonSettings, load
from node.config import NodeSettings
from tests.support.generate_protos import ROOT

MODELS: dict[str, type[DaemonSettings]] = {
    "router": RouterSettings,
    "node": NodeSettings,
    "coordinator": CoordinatorSettings,
}
CONFIG = ROOT / "deploy" / "config"
SAMPLES = {
    path.relative_to(CONFIG).as_posix(): MODELS.get(path.stem, NodeSettings)
    for path in sorted(CONFIG.rglob("*.toml"))
}
REASONS = sorted(
    name.removeprefix("ERROR_REASON_")
    for name in errors_pb2.ErrorReason.keys()  # noqa: SIM118 - an enum, not a mapping.
    if name != "ERROR_REASON_UNSPECIFIED"
)
FOLDERS = (
    ".ci",
    "coordinator",
    "deploy",
    "docs",
    "federated_router",
    "node",
    "protos",
    "tests",
)
TEXTS = {"", ".md", ".py", ".pyi", ".toml", ".proto", ".service", ".yaml", ".txt"}
# Folders that exist on some machine only. Written so that this line is none of them.
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|tmp|root|home/\w+)/\w")


def texts() -> Iterator[Path]:
    """Yield every text file that is part of the product."""
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in TEXTS:
            yield path
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in TEXTS:
                yield path


@pytest.mark.parametrize("sample", SAMPLES)
def test_sample_configuration_is_one(sample: str) -> None:
    """An operator begins by copying these; one that no test loads would rot."""
    settings = load(CONFIG / sample, SAMPLES[sample])

    assert isinstance(settings, SAMPLES[sample])


@pytest.mark.parametrize("kind", ["basic", "advanced"])
def test_every_daemon_has_its_samples(kind: str) -> None:
    """The least, and everything."""
    found = {path.stem for path in (CONFIG / kind).glob("*.toml")}

    assert found == set(MODELS)


def test_samples_of_a_pipeline_make_up_one_model() -> None:
    """Every layer runs once, and each node has room for what the leader sends."""
    folder = CONFIG / "advanced" / "pipeline"
    leader = load(folder / "leader.toml", NodeSettings)
    parts = [load(path, NodeSettings) for path in sorted(folder.glob("shard-*.toml"))]
    (model,) = leader.models
    shards = [shard for part in parts for shard in part.shards]

    bounds = [0, *(shard.end_layer for shard in shards)]
    assert [shard.first_layer for shard in shards] == bounds[:-1]
    assert len(shards) == 3
    assert model.pipeline is not None
    for shard in shards:
        assert (shard.model, shard.data_type) == (model.name, model.data_type)
        assert shard.slots >= model.slots
        assert shard.context_tokens_max == model.context_tokens_max
        assert shard.frame_tokens_max >= model.pipeline.frame_tokens_max
    addresses = {one.registration.advertised_address for one in (leader, *parts)}
    assert len(addresses) == 4


@pytest.mark.parametrize("daemon", MODELS)
def test_advanced_sample_shows_every_section(daemon: str) -> None:
    """What can be told must be seen to be told."""
    path = CONFIG / "advanced" / f"{daemon}.toml"
    text = path.read_text(encoding="utf-8")

    hidden = [
        name
        for name in MODELS[daemon].model_fields
        if not re.search(rf"^#? ?\[*{name}\b", text, re.MULTILINE)
    ]

    assert hidden == []


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained(reason: str) -> None:
    """Whoever gets an error looks it up by its reason."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

    assert re.search(rf"`{reason}`|^#+ {reason}\b", text, re.MULTILINE)


def test_no_reason_is_explained_that_does_not_exist() -> None:
    """A page that promises more than the code is worse than none."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|\s*`([A-Z_]+)`", text, re.MULTILINE)
    headings = re.findall(r"^#+ ([A-Z_]{4,})\s*$", text, re.MULTILINE)

    assert set(rows) | set(headings) <= set(REASONS) | {"INTERNAL"}


def test_make_targets_are_short() -> None:
    """A target of more than five lines is a script that wants a file."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    lengths: dict[str, int] = {}
    target = ""
    for line in text.splitlines():
        if line.startswith("\t"):
            lengths[target] = lengths.get(target, 0) + 1
        elif match := re.match(r"([\w$().-]+):", line):
            target = match[1]

    assert {name: count for name, count in lengths.items() if count > 5} == {}
    assert len(lengths) > 10


@pytest.mark.parametrize("target", ["demo", "test", "up", "down", "certs", "check"])
def test_make_knows_the_promised_targets(target: str) -> None:
    """The README's commands exist and say what they do."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{target}:.*## \w", text, re.MULTILINE)


def test_no_file_names_a_path_of_some_machine() -> None:
    """A path that exists on one machine is a bug on every other."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts()
        for number, line in enumerate(
            path.read_text(encoding="utf-8").splitlines(), start=1
        )
        if MACHINE_PATH.search(line)
    ]

    assert found == []


def test_machine_paths_would_be_seen() -> None:
    """The search itself finds what it is for, and leaves URLs alone."""
    folder = "work"

    assert MACHINE_PATH.search(f"open('/{folder}/main')")
    assert not MACHINE_PATH.search("sqlite+aiosqlite:////var/lib/router/ledger")
    assert not MACHINE_PATH.search(f"{{directory}}/{folder}/x")


@pytest.mark.parametrize(
    "document",
    sorted(
        [
            ROOT / "README.md",
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "deploy").rglob("*.md"),
        ]
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A reader who follows a link must arrive."""
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://|mailto:|#)([^)#\s]+)", text)

    lost = [target for target in targets if not (document.parent / target).exists()]

    assert lost == []


def test_test_files_have_names_of_their_own() -> None:
    """Two of one name cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted({name for name in names if names.count(name) > 1}) == []
