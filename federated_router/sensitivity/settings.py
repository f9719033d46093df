"""How personal requests are told, and who may get them: the sections of a router."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from federated_router.kit.config import ResourceId, Settings
from federated_router.kit.names import is_id
from federated_router.sensitivity.kinds import BY_DEFAULT, PersonalDataKind
from federated_router.sensitivity.levels import Sensitivity


def _level(written: object) -> object:
    """Return the level of a name such as `internal`; pydantic refuses the rest."""
    if isinstance(written, Sensitivity):
        return written
    names = {level.name.lower(): level for level in Sensitivity}
    if not isinstance(written, str) or written not in names:
        raise ValueError(f"use one of {', '.join(names)}")
    return names[written]


def _node(written: str) -> str:
    collection, _, name = written.partition("/")
    if collection != "nodes" or not is_id(name):
        raise ValueError("name nodes as 'nodes/ID'")
    return written


Level = Annotated[Sensitivity, BeforeValidator(_level)]
NodeName = Annotated[str, BeforeValidator(_node)]


class SensitivitySettings(Settings):
    """How the level of a request is told.

    `default` is the level of a request that declares none. With `detect` a request in
    whose messages one of `kinds` is found is `sensitive`, whatever it declares. At most
    `characters_max` characters of a request are read, for at most `time_ms_max`; one of
    which more is left unread is `sensitive` too. Requests with more than
    `thread_characters` are read in a thread.
    """

    default: Level = Sensitivity.INTERNAL
    detect: bool = True
    kinds: tuple[PersonalDataKind, ...] = BY_DEFAULT
    characters_max: int = Field(default=1 << 20, ge=1024)
    thread_characters: int = Field(default=8192, ge=0)
    time_ms_max: float = Field(default=500.0, gt=0)


class TrustSettings(Settings):
    """The most personal requests that each node may get.

    A node named under a level gets requests of that level and of those below it; one
    that is named nowhere gets those of `default`.
    """

    default: Level = Sensitivity.INTERNAL
    public: tuple[NodeName, ...] = ()
    internal: tuple[NodeName, ...] = ()
    sensitive: tuple[NodeName, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = (*self.public, *self.internal, *self.sensitive)
        if len(set(named)) != len(named):
            raise ValueError("name each node once, under one level")
        return self


class ResidencySettings(Settings):
    """The regions that requests of a level may go to; an empty list is all regions.

    A list holds for its level and for all above it: a request that is more personal
    never goes where a less personal one may not.
    """

    public: tuple[ResourceId, ...] = ()
    internal: tuple[ResourceId, ...] = ()
    sensitive: tuple[ResourceId, ...] = ()
