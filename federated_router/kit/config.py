"""Configuration is data: one TOML file per daemon, frozen, unknown keys refused.

Secrets are never in the file; the file names the files that hold them.
"""

import tomllib
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from federated_router.kit.names import is_id


class Settings(BaseModel):
    """Base of every section."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _checked_id(value: str) -> str:
    if not is_id(value):
        raise ValueError("use 1 to 63 characters of a-z, 0-9, '.', '_' and '-'")
    return value


ResourceId = Annotated[str, AfterValidator(_checked_id)]


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is not None or "password" in parse_qs(parts.query.lower()):
        raise ValueError(
            "put the password into a file and name it: ?passfile=/path/to/pgpass"
        )
    return url


DatabaseUrl = Annotated[str, AfterValidator(_without_password)]
"""A database's address; never with a password, which would show in the status."""


class TlsSettings(Settings):
    """The daemon's identity; there is no plaintext port.

    `revocation_list` is a file for the newest list of revoked certificates (X.509 CRL,
    DER): read at the start and whenever it changes, and written when a newer list
    comes from the coordinator.
    """

    certificate: Path
    private_key: Path
    authority: Path
    revocation_list: Path | None = None


class ServerSettings(Settings):
    """Where the daemon listens and how much it lets in."""

    address: str = "127.0.0.1:0"
    message_bytes_max: int = Field(default=4 * 1024 * 1024, ge=64 * 1024)
    calls_max: int = Field(default=1024, ge=1)
    call_timeout_s: float = Field(default=30.0, gt=0)
    stop_grace_s: float = Field(default=20.0, ge=0)
    ready_file: Path | None = None


class LogSettings(Settings):
    """How much is logged and in which form.

    Lines below `warning` are written together with those of the next `gather_s`.
    """

    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    format: str = Field(default="json", pattern="^(json|text)$")
    gather_s: float = Field(default=0.1, ge=0, le=10)


class MetricsSettings(Settings):
    """Where Prometheus scrapes, over mTLS; no address, no endpoint."""

    address: str | None = None


class OpsSettings(Settings):
    """Ids of the operators who may read this daemon's own plain statistics.

    An operator's certificate is good in the whole federation, and plain statistics are
    the organisation's own: nobody reads them who is not named here.
    """

    statistics_readers: tuple[ResourceId, ...] = ()


class DaemonSettings(Settings):
    """What every daemon has."""

    tls: TlsSettings
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    ops: OpsSettings = OpsSettings()


Model = TypeVar("Model", bound=Settings)


class ConfigurationError(Exception):
    """The file cannot be used; the message names each key and what is wrong."""


def load(path: Path, model: type[Model]) -> Model:
    """Return the configuration in `path`; raise ConfigurationError for people."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = (
            f"  {'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError("\n".join([f"{path}:", *lines])) from error
