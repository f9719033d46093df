"""A configuration is taken whole or refused with the key that is wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from federated_router.config import RouterSettings
from federated_router.kit.config import (
    ConfigurationError,
    DaemonSettings,
    ResourceId,
    ServerSettings,
    Settings,
    load,
)

TLS = """
[tls]
certificate = "a.crt"
private_key = "a.key"
authority = "ca.crt"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the configuration will be."""
    return tmp_path / "daemon.toml"


def refusal(file: Path, content: str, model: type[Settings] = DaemonSettings) -> str:
    """Return what a person is told about `content`."""
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load(file, model)
    return str(raised.value)


def test_smallest_file_gives_every_default(file: Path) -> None:
    """Only what has no default must be written."""
    file.write_text(TLS, encoding="utf-8")

    settings = load(file, DaemonSettings)

    assert settings.tls.certificate == Path("a.crt")
    assert settings.server == ServerSettings()
    assert settings.metrics.address is None


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (TLS + "passphrase = 'x'\n", "tls.passphrase"),
        (TLS + "[server]\nadress = 'x'\n", "server.adress"),
        (TLS + "[proxy]\nattempts = 3\n", "proxy.attempts"),
        (TLS + "[[policies]]\nname = 'p'\nslot = 3\n", "policies.0.slot"),
        ("colour = 1\n" + TLS, "colour"),
    ],
)
def test_unknown_key_is_refused_by_its_path(
    file: Path, content: str, path: str
) -> None:
    """A misspelt limit that is silently the default is worse than none."""
    message = refusal(file, content, RouterSettings)

    assert f"  {path}: Extra inputs are not permitted" in message


def test_every_fault_is_told_at_once(file: Path) -> None:
    """One run, one list: not a fault per attempt."""
    message = refusal(file, TLS + "[server]\ncalls_max = 0\n[log]\nlevel = 'loud'\n")

    assert "server.calls_max" in message
    assert "log.level" in message


def test_missing_section_is_named(file: Path) -> None:
    """A daemon without an identity has no plaintext port to fall back to."""
    assert "  tls: Field required" in refusal(file, "")


def test_file_that_is_no_toml_says_where(file: Path) -> None:
    """Line and column, not a traceback."""
    message = refusal(file, "[tls\n")

    assert str(file) in message
    assert "not valid TOML" in message
    assert "line 1" in message


def test_file_that_is_no_text_is_said_so(file: Path) -> None:
    """An editor's other encoding is a person's mistake, not a crash."""
    file.write_bytes(b"name = '\xff'\n")

    with pytest.raises(ConfigurationError) as raised:
        load(file, DaemonSettings)

    assert "UTF-8" in str(raised.value)


def test_missing_file_is_named(file: Path) -> None:
    """The path that was asked for is in the message."""
    with pytest.raises(ConfigurationError, match=r"daemon\.toml: No such file"):
        load(file, DaemonSettings)


def test_wrong_value_is_not_repeated(file: Path) -> None:
    """Somebody will paste a secret into the wrong place; logs must not keep it."""
    message = refusal(file, TLS + "[server]\ncalls_max = 'hunter2-secret'\n")

    assert "server.calls_max" in message
    assert "hunter2" not in message


def test_settings_cannot_be_changed(file: Path) -> None:
    """What GetStatus shows is what was loaded."""
    file.write_text(TLS, encoding="utf-8")
    settings = load(file, DaemonSettings)

    with pytest.raises(ValidationError, match="frozen"):
        settings.server.calls_max = 1


@pytest.mark.parametrize("value", ["", "A", "a b", "-a", "a/", "a" * 64, "ä"])
def test_unsafe_id_is_refused_in_words(value: str) -> None:
    """Ids stand in resource names, file names and logs."""

    class Named(Settings):
        name: ResourceId

    with pytest.raises(ValidationError, match="a-z, 0-9"):
        Named(name=value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://router:hunter2@db.internal/ledger",
        "postgresql+psycopg://:hunter2@db.internal/ledger",
        "postgresql+psycopg://db.internal/ledger?user=r&Password=hunter2",
    ],
)
def test_password_in_an_address_is_refused_and_not_repeated(
    file: Path, url: str
) -> None:
    """Operators read the configuration over the wire; secrets stay in files."""
    message = refusal(file, TLS + f"[budget]\nurl = '{url}'\n", RouterSettings)

    assert "budget.url" in message
    assert "passfile" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:////var/lib/router/ledger.sqlite",
        "postgresql+psycopg://router@db.internal:5432/ledger",
        "postgresql+psycopg://db.internal:5432/ledger?passfile=/etc/router/pgpass",
        "postgresql+psycopg://router@[::1]:5432/ledger",
    ],
)
def test_address_without_a_password_is_taken(file: Path, url: str) -> None:
    """A port is no password."""
    file.write_text(TLS + f"[budget]\nurl = '{url}'\n", encoding="utf-8")

    assert load(file, RouterSettings).budget.url == url


@pytest.mark.parametrize("limits", ["lease_s = 0.0", "lease_s = -1", "nodes_max = 0"])
def test_registry_that_admits_nobody_is_refused(file: Path, limits: str) -> None:
    """A lease of nothing lapses before it is granted."""
    message = refusal(file, TLS + f"[registry]\n{limits}\n", RouterSettings)

    assert f"registry.{limits.partition(' ')[0]}" in message


@pytest.mark.parametrize(
    "settings",
    [
        {"message_bytes_max": 1024},
        {"calls_max": 0},
        {"call_timeout_s": 0},
        {"stop_grace_s": -1},
    ],
)
def test_limits_that_shut_a_daemon_off_are_refused(settings: dict[str, float]) -> None:
    """A limit of nothing is a mistake and not a limit."""
    with pytest.raises(ValidationError):
        ServerSettings.model_validate(settings)
