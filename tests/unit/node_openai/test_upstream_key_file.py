"""The key of an upstream is what its file holds now, and nothing else is sent."""

import asyncio
from pathlib import Path

import pytest
import structlog

from federated_router.kit import errors
from node.openai import key_file as subject
from node.openai.key_file import LOOK_INTERVAL_S, KeyFile
from tests.support.scripted_openai import Asked, Reply
from tests.unit.node_openai.conftest import Ask


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture
def watch() -> Watch:
    """Return the time of the key file."""
    return Watch()


@pytest.fixture
def key(key_file: Path, watch: Watch) -> KeyFile:
    """Return a key file that was read at the start."""
    made = KeyFile(key_file, monotonic_s=watch)
    made.read()
    return made


def replace(path: Path, content: bytes) -> None:
    """Put another file in a file's place, as operators should."""
    other = path.with_name("other")
    other.write_bytes(content)
    other.replace(path)


async def test_replaced_key_is_used_a_look_later(
    key: KeyFile, key_file: Path, watch: Watch
) -> None:
    """No restart; and no look at the disk for every request."""
    replace(key_file, b"sk-new\n")

    assert await key.key() == "sk-very-secret"
    watch.now_s += LOOK_INTERVAL_S
    assert await key.key() == "sk-new"


@pytest.mark.parametrize("content", [b"", b"\n", b"two keys", b"a\nb", b"\xff", None])
async def test_file_without_a_key_sends_none(
    key: KeyFile, key_file: Path, watch: Watch, content: bytes | None
) -> None:
    """Who empties or removes the file takes the key away; the old one is forgotten."""
    if content is None:
        key_file.unlink()
    else:
        replace(key_file, content)
    watch.now_s += LOOK_INTERVAL_S

    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            watch.now_s += LOOK_INTERVAL_S
            with pytest.raises(errors.Unavailable) as raised:
                await key.key()

    assert len(logged) == 1
    assert logged[0]["cause"].startswith("api_key_file")
    shown = f"{raised.value}{logged}{key!r}{vars(key)}"
    assert "secret" not in shown
    assert "two" not in shown


async def test_key_that_comes_back_is_used(
    key: KeyFile, key_file: Path, watch: Watch
) -> None:
    """Also where it is the same as before, under the same times."""
    kept = key_file.with_name("kept")
    key_file.rename(kept)
    watch.now_s += LOOK_INTERVAL_S
    with pytest.raises(errors.Unavailable):
        await key.key()
    kept.rename(key_file)
    watch.now_s += LOOK_INTERVAL_S

    assert await key.key() == "sk-very-secret"


async def test_look_that_hangs_sends_no_key(
    key: KeyFile, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that does not answer must not hold requests up for ever."""
    held = asyncio.Event()

    async def hang(_: object) -> None:
        await held.wait()

    monkeypatch.setattr(subject, "LOOK_TIMEOUT_S", 0.01)
    monkeypatch.setattr(asyncio, "to_thread", hang)
    watch.now_s += LOOK_INTERVAL_S

    with pytest.raises(errors.Unavailable):
        await key.key()


async def test_running_engine_goes_on_under_the_new_key_and_stops_without_one(
    ask: Ask, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hears the new key; without one it hears nothing at all."""
    monkeypatch.setattr(subject, "LOOK_INTERVAL_S", 0.0)

    async def answers(_: Asked, reply: Reply) -> None:
        await reply.begin()
        await reply.say("yes")
        await reply.finish()

    async with ask(answers, api_key_file=key_file) as served:
        await served.answer()
        replace(key_file, b"sk-new\n")
        await served.answer()
        replace(key_file, b"")
        with pytest.raises(errors.Unavailable):
            await served.answer()
        with pytest.raises(errors.Unavailable):
            await served.engine.probe()
        sent = [one.headers["authorization"] for one in served.server.asked]

    assert sent == ["Bearer sk-very-secret", "Bearer sk-new"]
