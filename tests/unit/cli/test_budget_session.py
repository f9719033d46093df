"""Who calls, and what is said where nobody answers."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from federated_router.cli.connection import TRUST_DOMAIN, Federation, NotRunning
from federated_router.cli.local_federation import SECOND_OPERATOR, issue_local
from federated_router.cli.main import app, main
from federated_router.cli.session import ask, other_operator
from federated_router.kit.errors import (
    AccountUnknown,
    DeadlineExceeded,
    FederationError,
    StoreUnavailable,
    Unavailable,
)
from federated_router.kit.grpc_errors import DETAILS_KEY, code_of, details_of
from federated_router.kit.identity import Identity, Role, identity_of
from tests.support.budget_desk import Desk


def described(directory: Path, **changes: object) -> Path:
    """Write the file of a federation that does not run."""
    files = {"cert": str(directory / "x.crt"), "key": str(directory / "x.key")}
    content = {
        "router": {"address": "127.0.0.1:9"},
        "coordinator": {"address": "127.0.0.1:9"},
        "nodes": [],
        "ca": str(directory / "ca.crt"),
        "client": files,
        "operator": files,
    } | changes
    file = directory / "up.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_other_operators_files_replace_the_federations_own(desk: Desk) -> None:
    """The audit log then names the person who acted."""
    desk.output("grant", "user-bob", "--epsilon", "1", *desk.as_second())
    desk.output("grant", "user-bob", "--epsilon", "1")

    assert desk.callers == ["operator-2", "operator"]


def test_no_files_mean_the_federations_operator() -> None:
    """Nothing is overridden by accident."""
    assert other_operator(None, None) is None


def test_second_operator_is_known_where_the_file_names_one(tmp_path: Path) -> None:
    """A local federation has one to try with; others name none."""
    alone = Federation.load(described(tmp_path))
    second = {"cert": "s.crt", "key": "s.key"}
    both = Federation.load(described(tmp_path, second_operator=second))

    assert alone.second_operator is None
    assert both.second_operator is not None
    assert both.second_operator.certificate == Path("s.crt")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ca": 3}', "no json"])
def test_file_that_describes_nothing_is_one_line(tmp_path: Path, content: str) -> None:
    """It is written by hand, so it will be wrong once."""
    file = tmp_path / "up.json"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(NotRunning, match="does not describe a federation"):
        Federation.load(file)


def test_missing_certificate_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After `local down` the file may outlive what it names."""
    words = ["federated-router", "budget", "list", "--federation"]
    monkeypatch.setattr("sys.argv", [*words, str(described(tmp_path))])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert ".crt cannot be read" in told[0]


def failing(error: grpc.aio.AioRpcError) -> Callable[[object], Awaitable[None]]:
    """Return a call that ends so."""

    async def call(_: object) -> None:
        raise error

    return call


def status(code: grpc.StatusCode, details: bytes | None = None) -> grpc.aio.AioRpcError:
    """Return a failed call, with details where the peer itself failed it."""
    trailing = grpc.aio.Metadata(*([(DETAILS_KEY, details)] if details else []))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "low-level words")


def test_silent_router_is_named_with_its_address(desk: Desk) -> None:
    """What gRPC says by itself tells neither what to start nor what to check."""
    with pytest.raises(Unavailable, match=r"router at 127\.0\.0\.1:1 does not") as told:
        ask(desk.up_file, Role.ROUTER, failing(status(grpc.StatusCode.UNAVAILABLE)))

    assert told.value.metadata == {"cause": "low-level words"}


@pytest.mark.parametrize("error", [StoreUnavailable("Later."), AccountUnknown("No.")])
def test_router_that_answers_is_not_called_silent(
    desk: Desk, error: FederationError
) -> None:
    """Its own refusal is what the operator must read."""
    refused = status(code_of(error), details_of(error))

    with pytest.raises(type(error)):
        ask(desk.up_file, Role.ROUTER, failing(refused))


def test_deadline_is_no_silence(desk: Desk) -> None:
    """The router is there, and too slow."""
    late = status(grpc.StatusCode.DEADLINE_EXCEEDED)

    with pytest.raises(DeadlineExceeded):
        ask(desk.up_file, Role.ROUTER, failing(late))


def test_local_federation_has_a_second_operator(tmp_path: Path) -> None:
    """Else nobody could try what takes two people."""
    files = issue_local(tmp_path, [])[SECOND_OPERATOR]

    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    assert identity_of(uris) == Identity(
        role=Role.OPERATOR, id="operator-2", trust_domain=TRUST_DOMAIN
    )


def test_budget_has_the_promised_commands() -> None:
    """The documents name them."""
    group = next(one for one in app.registered_groups if one.name == "budget")
    assert group.typer_instance is not None
    names = {
        command.name or getattr(command.callback, "__name__", "")
        for command in group.typer_instance.registered_commands
    }

    assert names == {
        "list",
        "show",
        "price",
        "report",
        "grant",
        "renew",
        "open-block",
        "close",
        "backup",
        "restore",
    }
