"""`parcours demo`: customers live through thirty days while you watch.

Everything is real but time: the embedded stack on a fresh folder, twenty customers' events
through the HTTP API, and one journey clock that all of it shares. Decides ports, speed and
how long; the customers and what is shown are in the modules beside this one.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.data_folder import DATA

if TYPE_CHECKING:
    from rich.console import Console

    from engine.clock import Clock
    from settings import Settings
    from worker.embedded import Embedded
    from worker.temporal_server import DevServerSettings

_A_DAY_IN_FOUR_SECONDS = 86_400 / 4
_DAYS = 30
_LOOK_EVERY_S = 0.25

# A last step that is due as the time is up still has to be sent and recorded.
_AFTERMATH_S = 2.0

# Faster than this, a message takes journey days to render, and no table makes sense.
_FASTEST = 86_400.0


def demo(
    speed: Annotated[
        float,
        typer.Option(
            min=1.0,
            max=_FASTEST,
            help="How many times faster than real time; 21600 is a day in four seconds.",
        ),
    ] = _A_DAY_IN_FOUR_SECONDS,
    stay: Annotated[
        bool, typer.Option("--stay", help="Stay up at the end, to look around; Ctrl-C stops it.")
    ] = False,
    customers: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="A folder of its own; emptied first.")
    ] = DATA / "demo",
) -> None:
    """Watch twenty trial customers live through thirty days in two minutes."""
    import logging

    from settings import LogFormat
    from worker.logs import configure_logs

    configure_logs(LogFormat.CONSOLE, logging.WARNING)
    _empty(data)
    asyncio.run(_run(data, speed, stay, customers))


async def _run(data: Path, speed: float, stay: bool, number: int) -> None:
    from rich.console import Console

    from authoring.folder import load_journeys
    from cli.data_folder import DataFolder
    from cli.dev import embedded_settings
    from cli.publish import publish_loaded
    from engine.clock import Clock
    from store.database import Database
    from worker.embedded import embedded
    from worker.stopping import told_to_stop

    console = Console()
    temporal = _temporal(data)
    settings = embedded_settings(data, temporal, _port(8080))

    def make_clock(now: datetime) -> Clock:
        return Clock(real_origin=now, journey_origin=now, speed=speed)

    with told_to_stop() as told:
        console.print("Starting the Temporal server, the worker and the API …")
        database = Database(settings.database_url)
        try:
            database.upgrade()
            key = await DataFolder(data).api_key(database)
            await publish_loaded(database, load_journeys(_journeys()), "demo")
            async with embedded(settings, database, temporal, make_clock) as stack:
                _show_addresses(console, settings, temporal, key)
                playing = asyncio.create_task(_play(stack, key, number, console))
                await _first(told, playing, stack)
                if stay and not told.is_set():
                    _show_addresses(console, settings, temporal, key)
                    console.print("It stays up, and time goes on. Ctrl-C stops it.")
                    await _first(told, None, stack)
                elif not told.is_set():
                    console.print(f"Everything is in {data}/; to look around, add --stay.")
        finally:
            await database.dispose()


async def _play(stack: Embedded, key: str, number: int, console: Console) -> None:
    """Thirty days, shown as they pass, and the table."""
    from datetime import timedelta

    from cli.demo_cast import cast
    from cli.demo_play import JOURNEY, Play
    from cli.demo_watch import Watch
    from store import journeys

    services = stack.services
    assert services.clock is not None  # a demo has one
    members = list(cast(number))
    watch = Watch(services.database, services.clock, members, console)
    play = Play(services.settings.public_url, key, services.clock, services.database)
    console.print(f"{number} customers, {_DAYS} days, {_length(services.clock)}.\n")
    ends_at = services.clock.journey_origin + timedelta(days=_DAYS)
    living = asyncio.create_task(play.run(members))
    try:
        while services.now() < ends_at:
            await watch.look()
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        living.cancel()
        await asyncio.wait([living])
    if not living.cancelled():
        living.result()  # raises what went wrong in it
    await asyncio.sleep(_AFTERMATH_S)
    await watch.look()
    async with services.database.reading() as session:
        published = await journeys.newest_publication(session)
    assert published is not None  # it was published before the stack came up
    console.print()
    watch.print_table(published.journeys[JOURNEY])
    for error in play.errors:
        console.print(f"[red]{error}[/red]")


async def _first(told: asyncio.Event, playing: asyncio.Task[None] | None, stack: Embedded) -> None:
    """Wait for the end of the play (if there is one), for Ctrl-C, or for trouble."""
    from worker.stopping import until_told

    waiting = asyncio.create_task(until_told(told, stack.tasks))
    both = {waiting} if playing is None else {waiting, playing}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.wait(both)
    for task in both:
        if not task.cancelled():
            task.result()  # raises what went wrong in it


def _show_addresses(
    console: Console, settings: Settings, temporal: DevServerSettings, key: str
) -> None:
    page = settings.public_url
    console.print(
        f"\n  mailbox       {page}/mailbox?key={key}"
        f"\n  enrollments   {page}/enrollments?key={key}"
        f"\n  events        {page}/events?key={key}"
        f"\n  Temporal UI   {temporal.ui_url}\n",
        highlight=False,
        soft_wrap=True,
    )


def _length(clock: Clock) -> str:
    seconds = _DAYS * 86_400 / clock.speed
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"


def _empty(data: Path) -> None:
    """Make the folder fresh; refuse one that holds anything a demo did not make."""
    from cli.errors import WrongInputError

    if not data.exists():
        return
    if any(data.iterdir()) and not (data / "parcours.db").exists():
        raise WrongInputError(f"{data} is not a demo's folder, and would be emptied: name another")
    shutil.rmtree(data)


def _temporal(data: Path) -> DevServerSettings:
    from worker.embedded import search_attributes
    from worker.temporal_server import DevServerSettings

    return DevServerSettings(
        folder=data,
        port=_port(7233),
        ui_port=_port(8233),
        search_attributes=search_attributes(),
    )


def _port(usual: int) -> int:
    """The usual port, else any: a demo must run at the first try, beside whatever runs."""
    from worker.temporal_server import HOST, is_free

    if is_free(usual):
        return usual
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _journeys() -> Path:
    """Those of the checkout: the customers here live through `trial-onboarding`."""
    return Path(__file__).parents[1] / "journeys"
