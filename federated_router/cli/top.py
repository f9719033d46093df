"""`top`: a router as it works, until Ctrl-C.

Decides where a view is shown: in place on a terminal, line by line elsewhere, or as
JSON. What is asked is in `top_view`, how it looks in `top_text`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from federated_router.cli.connection import Federation
from federated_router.cli.screen import message_content, out
from federated_router.cli.session import (
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
    silence_named,
)
from federated_router.cli.top_text import screen_lines, silence_line
from federated_router.cli.top_view import Silence, View, look, views
from federated_router.kit.identity import Role

INTERVAL_S_MIN = 0.2
Seen = View | Silence
Show = Callable[[Seen], None]


def top(
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks.", min=INTERVAL_S_MIN)
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch nodes, queues, latencies, budgets, cache and footprints of a router."""
    if once:
        _show_once(federation, as_json=as_json)
        return
    try:
        asyncio.run(_watch(federation, interval, as_json=as_json))
    except KeyboardInterrupt:
        return


def json_content(seen: Seen) -> dict[str, object]:
    """Return a look as JSON's values; of a silence, whom and since when."""
    if isinstance(seen, Silence):
        return {"router": seen.router, "silentSince": seen.since.isoformat()}
    return {
        "router": seen.router,
        "time": seen.at.isoformat(),
        "load": message_content(seen.load),
        "advice": [message_content(one) for one in seen.advice],
        "footprints": [message_content(one) for one in seen.footprints],
        "accounts": [message_content(one) for one in seen.accounts],
        "hasMore": seen.has_more,
    }


async def follow(seen: AsyncGenerator[Seen, None], show: Show) -> None:
    """Show every look until the looks end."""
    async with aclosing(seen) as looks:
        async for one in looks:
            show(one)


class Screen:
    """Shows looks in place; a silent router's last figures stay, marked."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._last: View | None = None

    def show(self, seen: Seen) -> None:
        """Show one look."""
        self._live.update(Text("\n".join(self._lines(seen))), refresh=True)

    def _lines(self, seen: Seen) -> list[str]:
        width, height = self._live.console.size
        if isinstance(seen, View):
            self._last = seen
            return screen_lines(seen, width=width, height=height - 1)
        marked = [silence_line(seen)]
        if self._last is not None:
            marked += screen_lines(self._last, width=width, height=height - 2)
        return marked


def _show_once(path: Path, *, as_json: bool) -> None:
    address = Federation.load(path).router
    view = ask(path, Role.ROUTER, lambda channel: look(channel, address))
    (_print_json if as_json else _print)(view)


async def _watch(path: Path, interval_s: float, *, as_json: bool) -> None:
    federation = Federation.load(path)
    seen = views(federation, interval_s=interval_s)
    in_place = out.is_terminal and not as_json
    live = Live(console=out, auto_refresh=False, screen=True) if in_place else None
    shown: AbstractContextManager[object] = live or nullcontext()
    show = Screen(live).show if live else (_print_json if as_json else _print)
    with shown:
        async with silence_named(Role.ROUTER, federation.router):
            await follow(seen, show)


def _print(seen: Seen) -> None:
    if isinstance(seen, Silence):
        out.print(silence_line(seen), markup=False)
        return
    out.print("\n".join([*screen_lines(seen, width=out.width), ""]), markup=False)


def _print_json(seen: Seen) -> None:
    """Print one look as one line, so that a program reads line by line."""
    out.print(json.dumps(json_content(seen)), markup=False)
