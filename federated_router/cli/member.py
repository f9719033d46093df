"""`member`: who takes part in rounds, and how operators let in and take back.

Certificates and revocation lists are signed here, on the operator's machine, with the
authority's key; the coordinator is only told.
"""

import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from federated_router.api.v1 import members_pb2 as pb
from federated_router.cli import member_calls as calls
from federated_router.cli import member_signing as signing
from federated_router.cli import member_text as text
from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.cli.screen import facts, out, print_json, print_message, table
from federated_router.cli.session import (
    DEFAULT_UP_FILE,
    AsJson,
    OperatorCert,
    OperatorKey,
    UpFile,
    other_operator,
)
from federated_router.kit.authority import Authority

app = typer.Typer(help="Members of rounds.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="MEMBER", help="nodes/ID or routers/ID.")]
AuthorityDirectory = Annotated[
    Path,
    typer.Option(
        "--authority", help="Holds ca.crt, ca.key and the last revocation list."
    ),
]
Domain = Annotated[str, typer.Option(help="Trust domain.")]
DEFAULT_AUTHORITY = Path("build/pki")
WATCH_S = 2.0


@app.command("list")
def list_members(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List members: state, certificate, last call, last round, faults."""
    members = calls.every_member(federation)
    if as_json:
        print_json({"members": [text.content(one) for one in members]})
        return
    now_s = time.time()
    table(text.COLUMNS, [text.row(one, now_s=now_s) for one in members])


@app.command()
def show(
    name: Name, federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """Show all that is known of a member."""
    member = calls.member_of(federation, text.member_name(name))
    if as_json:
        print_message(member)
        return
    out.print(f"{member.name}: {text.state_name(member)}")
    facts(text.member_facts(member, now_s=time.time()))


@app.command()
def enrol(
    name: Name,
    *,
    directory: Annotated[
        Path, typer.Option("--out", help="Where its certificate and key go.")
    ] = Path("build/enrolled"),
    authority: AuthorityDirectory = DEFAULT_AUTHORITY,
    certificate: Annotated[
        Path | None,
        typer.Option(
            help="Enrol this certificate (PEM) instead of issuing one.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Further names or addresses it is dialled by."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.0001, help="Lifetime.")] = 90.0,
    domain: Domain = TRUST_DOMAIN,
    federation: UpFile = DEFAULT_UP_FILE,
    operator_cert: OperatorCert = None,
    operator_key: OperatorKey = None,
) -> None:
    """Issue a certificate, and enrol its holder at the coordinator.

    Again with files that are there enrols those, so that a call that failed is
    repeated safely.
    """
    member = text.member_name(name)
    if certificate is None:
        files = signing.issued(
            member,
            directory,
            authority=Authority.existing(authority, trust_domain=domain),
            domain=domain,
            hosts=host or [],
            lifetime=timedelta(days=days),
        )
        certificate = files.certificate
        rows = [("certificate", certificate), ("private key", files.private_key)]
        table(("file", "path"), rows)
    enrolled = calls.enrol(
        federation,
        member,
        signing.certificate_der(certificate),
        caller=other_operator(operator_cert, operator_key),
    )
    out.print(f"{enrolled.name} is enrolled: certificate {text.last_serial(enrolled)}.")


@app.command()
def revoke(
    name: Name,
    *,
    authority: AuthorityDirectory = DEFAULT_AUTHORITY,
    cause: Annotated[str, typer.Option(help="Why, for other operators.")] = "",
    domain: Domain = TRUST_DOMAIN,
    federation: UpFile = DEFAULT_UP_FILE,
    operator_cert: OperatorCert = None,
    operator_key: OperatorKey = None,
) -> None:
    """Revoke every certificate of a member: its calls fail and its streams end."""
    member = calls.member_of(federation, text.member_name(name))
    signed = signing.revocation_list(
        Authority.existing(authority, trust_domain=domain),
        authority,
        published=calls.published_list(federation),
        serials=[int(one.serial, 16) for one in member.certificates],
    )
    revoked = calls.revoke(
        federation,
        member.name,
        signed.der,
        cause=cause,
        caller=other_operator(operator_cert, operator_key),
    )
    signing.keep_list(authority, signed)
    held = len(signed.serials)
    out.print(
        f"{revoked.name} is revoked: list {signed.number} holds {held} "
        f"certificate{'' if held == 1 else 's'}, and lies at "
        f"{signing.list_path(authority)}."
    )


@app.command()
def renew(
    *,
    authority: AuthorityDirectory = DEFAULT_AUTHORITY,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until interrupted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Further names or addresses they are dialled by."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.0001, help="Lifetime.")] = 90.0,
    domain: Domain = TRUST_DOMAIN,
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """List renewals that wait, and sign them."""
    issuer = Authority.existing(authority, trust_domain=domain)
    while True:
        waiting = calls.waiting_renewals(federation)
        if not waiting and not watch:
            out.print("No renewal waits.")
        for one in waiting:
            if not (yes or typer.confirm(f"{_told(one)}. Sign?")):
                continue
            issued = signing.renewed(
                issuer,
                one.member,
                one.signing_request_der,
                domain=domain,
                hosts=host or [],
                lifetime=timedelta(days=days),
            )
            calls.issue_renewal(federation, one.name, issued)
            out.print(f"{one.member}: a certificate for {days:g} days is issued.")
        if not watch:
            return
        time.sleep(WATCH_S)


def _told(renewal: pb.CertificateRenewal) -> str:
    expires = text.moment(renewal.expire_time, now_s=time.time())
    return f"{renewal.member} asks for a certificate; its present one expires {expires}"
