"""The calls that `up` prints can be pasted: shell, JSON and contract agree."""

import json
import shlex
from pathlib import Path

import pytest
from google.protobuf import json_format, message_factory

from federated_router.cli.connection import Federation, NodeAddress, NotRunning
from federated_router.cli.local import example_calls
from federated_router.kit.config import TlsSettings
from federated_router.kit.validation import check_required
from tests.support.raw_calls import SERVICES


def federation(directory: Path) -> Federation:
    """Return a described federation."""

    def tls(name: str) -> TlsSettings:
        return TlsSettings(
            certificate=directory / f"{name}.crt",
            private_key=directory / f"{name}.key",
            authority=directory / "ca.crt",
        )

    return Federation(
        router="127.0.0.1:7001",
        coordinator="127.0.0.1:7002",
        nodes=(NodeAddress("nodes/node-1", "127.0.0.1:7003"),),
        client=tls("client"),
        operator=tls("operator"),
    )


@pytest.fixture(params=["pki", "my pki", "client"])
def words(request: pytest.FixtureRequest) -> list[list[str]]:
    """Return each call as a shell splits it, for folders as people name them."""
    directory = Path("/srv") / str(request.param)
    return [shlex.split(line) for line in example_calls(federation(directory))]


def test_bodies_are_requests_of_the_contract(words: list[list[str]]) -> None:
    """Each body parses as the method's request and has every REQUIRED field."""
    for call in words:
        body = call[call.index("-d") + 1]
        service, _, name = call[-1].rpartition("/")
        method = SERVICES[service.rpartition(".")[2]].methods_by_name[name]
        request = message_factory.GetMessageClass(method.input_type)()

        json_format.Parse(body, request)

        check_required(request)
        assert json.loads(body) is not None


def test_certificates_are_whole_words(words: list[list[str]]) -> None:
    """A space in a folder's name must not split a path."""
    for call in words:
        files = [word for word in call if word.endswith((".crt", ".key"))]

        assert len(files) == 3
        assert all(word.startswith("/srv/") for word in files)
        assert len({Path(word).parent for word in files}) == 1


def test_operators_calls_carry_the_operators_identity(words: list[list[str]]) -> None:
    """A client may neither list rounds nor open them."""
    identities = {
        call[-1].rpartition("/")[2]: {
            Path(word).stem for word in call if word.endswith((".crt", ".key"))
        }
        for call in words
    }

    assert identities["Generate"] == {"ca", "client"}
    assert identities["ListNodes"] == {"ca", "operator"}
    assert identities["CreateRound"] == {"ca", "operator"}


def test_missing_description_says_how_to_start(tmp_path: Path) -> None:
    """Not a traceback of a file that nobody knows."""
    with pytest.raises(NotRunning, match="make up"):
        Federation.load(tmp_path / "up.json")


def test_description_is_read_back(tmp_path: Path) -> None:
    """What `up` promises to write is what the other commands read."""
    content = {
        "router": {"address": "127.0.0.1:1"},
        "coordinator": {"address": "127.0.0.1:2"},
        "nodes": [{"name": "nodes/node-1", "address": "127.0.0.1:3"}],
        "ca": "ca.crt",
        "client": {"cert": "c.crt", "key": "c.key"},
        "operator": {"cert": "o.crt", "key": "o.key"},
    }
    file = tmp_path / "up.json"
    file.write_text(json.dumps(content), encoding="utf-8")

    known = Federation.load(file)

    assert (known.router, known.coordinator) == ("127.0.0.1:1", "127.0.0.1:2")
    assert known.nodes == (NodeAddress("nodes/node-1", "127.0.0.1:3"),)
    assert known.operator.private_key == Path("o.key")
    assert known.client.authority == Path("ca.crt")
