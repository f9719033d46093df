"""Spending over time, drawn into a file.

The curve is pure: settled requests in, points out. matplotlib, which is an optional
extra, is imported where a file is drawn and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_text import is_guarantee, short
from federated_router.cli.budget_time import zone_of
from federated_router.privacy.measure import Measure, epsilon_of

SUFFIXES: Final = (".svg", ".png", ".pdf")
_SIZE_INCHES: Final = (8.0, 4.5)


class PlotFailed(Exception):
    """No plot was drawn; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Epsilon spent since the beginning, after each settlement, and its limit.

    `limit` is None where nothing bounds it: a lifetime without a cap.
    """

    times: tuple[datetime, ...]
    epsilons: tuple[float, ...]
    limit: float | None
    zone: tzinfo
    title: str


def spending_curve(
    account: pb.Account,
    settled: Iterable[pb.Reservation],
    *,
    now: datetime,
    lifetime: bool,
) -> Curve:
    """Return the curve of what settled requests were charged, up to `now`.

    It ends at what the account says. Where requests are missing, because there were
    too many to read, it begins at what those were charged.
    """
    zone = zone_of(account.time_zone)
    ordered = sorted(settled, key=lambda one: one.settle_time.ToNanoseconds())
    total = account.lifetime_units if lifetime else account.spent_units
    units = [max(0, total - sum(one.charged_units for one in ordered))]
    times = [_instant(one.settle_time, zone) for one in ordered]
    now = now.astimezone(zone)
    began = _instant(account.window_time, zone)
    first = (times[0] if times else now) if lifetime else began
    for one in ordered:
        units.append(units[-1] + one.charged_units)
    times = [first, *times, max([now, *times])]
    units.append(units[-1])
    capped = account.lifetime_epsilon if account.HasField("lifetime_epsilon") else None
    return Curve(
        times=tuple(times),
        epsilons=tuple(_epsilon(account, spent) for spent in units),
        limit=capped if lifetime else account.epsilon,
        zone=zone,
        title=_title(account, lifetime=lifetime),
    )


def require_drawable(path: Path) -> None:
    """Raise PlotFailed where `path` is no picture's name, or nothing can draw."""
    if path.suffix not in SUFFIXES:
        raise PlotFailed(f"{path}: a plot's name ends in {', '.join(SUFFIXES)}.")
    if find_spec("matplotlib") is None:
        raise PlotFailed("Plots need matplotlib: pip install 'federated-router[plot]'.")


def draw(curve: Curve, path: Path) -> None:
    """Draw the curve into `path`; raise PlotFailed where it cannot be written."""
    from matplotlib.dates import (  # noqa: PLC0415 An optional extra.
        AutoDateLocator,
        ConciseDateFormatter,
        date2num,
    )
    from matplotlib.figure import Figure  # noqa: PLC0415 As above.

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    times = date2num(curve.times)  # type: ignore[no-untyped-call]
    axes.step(times, curve.epsilons, where="post", marker=".", label="spent")
    if curve.limit is not None:
        axes.axhline(curve.limit, linestyle="--", color="black", label="limit")
    ticks = AutoDateLocator(tz=curve.zone)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(ticks, tz=curve.zone)  # type: ignore[no-untyped-call]
    )
    axes.set(title=curve.title, xlabel=f"time, {curve.zone}", ylabel="epsilon")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=2)
    try:
        figure.savefig(path)
    except OSError as error:
        raise PlotFailed(f"{path} cannot be written: {error.strerror}.") from error


def _instant(stamp: Timestamp, zone: tzinfo) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC).astimezone(zone)


def _epsilon(account: pb.Account, units: int) -> float:
    rdp = account.accounting == pb.Account.ACCOUNTING_RDP
    measure = Measure(account.rdp_order if rdp else None)
    return epsilon_of(units, measure, delta=account.delta)


def _title(account: pb.Account, *, lifetime: bool) -> str:
    what = "guarantee" if is_guarantee(account) else "quota, no guarantee"
    over = "all windows" if lifetime else "this window"
    return f"{account.name} ({what}), {over}, delta {short(account.delta)}"
