"""The key file belongs to its owner, and says nothing in an error."""

import re
from pathlib import Path

import pytest

from federated_router.cache.key_file import open_secret
from federated_router.kit.errors import FieldInvalid


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """A second start finds what the first one kept."""
    path = tmp_path / "router" / "cache.key"
    first = open_secret(path)
    second = open_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    place = first.place(tenant="t", question=b"q")
    assert second.place(tenant="t", question=b"q") == place
    assert [one.name for one in path.parent.iterdir()] == ["cache.key"]


def test_two_deployments_have_different_keys(tmp_path: Path) -> None:
    """A key that two share is one that nobody drew."""
    one, two = (open_secret(tmp_path / name) for name in ("one", "two"))
    assert one.place(tenant="t", question=b"q") != two.place(tenant="t", question=b"q")


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Somebody may have read it already."""
    path = tmp_path / "cache.key"
    open_secret(path)
    path.chmod(0o640)
    with pytest.raises(FieldInvalid, match="chmod 600") as refused:
        open_secret(path)
    assert refused.value.metadata["field"] == "cache.key_file"


@pytest.mark.parametrize("content", ["", "not hexadecimal", "ab" * 31, "ab" * 40])
def test_a_file_with_something_else_is_refused(tmp_path: Path, content: str) -> None:
    """It is not overwritten either: it may be another program's."""
    path = tmp_path / "cache.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(FieldInvalid, match="hexadecimal") as refused:
        open_secret(path)
    assert path.read_text() == content
    if content:
        assert not re.search(re.escape(content), refused.value.message)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """With the reason of the system."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FieldInvalid):
        open_secret(tmp_path / "file" / "cache.key")
