"""`parcours dev`: everything on this machine, in one terminal, until Ctrl-C.

Decides ports, folders and what is shown. The journeys are published at the start; with a
mistake in them the mistakes are shown, and what was published before stays in force.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import check
from cli.data_folder import DATA
from cli.options import JOURNEYS, JourneysOption

if TYPE_CHECKING:
    from settings import Settings
    from store.database import Database
    from worker.temporal_server import DevServerSettings

_API_PORT = 8080
_TEMPORAL_PORT = 7233
_UI_PORT = 8233
_STOPPING_S = 10.0  # a send takes a second; nobody waits for half a minute in a terminal


def dev(
    journeys: JourneysOption = JOURNEYS,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the store, the logs and the keys are.")
    ] = DATA,
    port: Annotated[int, typer.Option(help="The API and its pages.")] = _API_PORT,
    temporal_port: Annotated[int, typer.Option(help="The Temporal server.")] = _TEMPORAL_PORT,
    ui_port: Annotated[int, typer.Option(help="The Temporal UI.")] = _UI_PORT,
) -> None:
    """Run the whole embedded stack in this terminal; Ctrl-C stops it."""
    from cli.data_folder import DataFolder
    from settings import LogFormat
    from worker.embedded import search_attributes
    from worker.logs import configure_logs
    from worker.temporal_server import DevServerSettings, check_free

    configure_logs(LogFormat.CONSOLE)
    check_free([(port, "--port"), (temporal_port, "--temporal-port"), (ui_port, "--ui-port")])
    folder = DataFolder(data)
    temporal = DevServerSettings(
        folder=data,
        port=temporal_port,
        ui_port=ui_port,
        search_attributes=search_attributes(),
    )
    asyncio.run(_run(folder.path, embedded_settings(data, temporal, port), temporal, journeys))


def embedded_settings(data: Path, temporal: DevServerSettings, port: int) -> Settings:
    """The environment's settings, but for what the embedded stack brings itself."""
    from cli.data_folder import DataFolder
    from settings import load

    folder = DataFolder(data)
    return load(
        database_url=folder.database_url,
        secret_key=folder.secret_key(),
        temporal_address=temporal.address,
        temporal_namespace="default",
        api_host="127.0.0.1",
        api_port=port,
        public_url=f"http://127.0.0.1:{port}",
        graceful_shutdown=str(_STOPPING_S),
    )


async def _run(data: Path, settings: Settings, temporal: DevServerSettings, journeys: Path) -> None:
    from cli.data_folder import DataFolder
    from store.database import Database
    from worker.embedded import embedded
    from worker.stopping import told_to_stop, until_told

    with told_to_stop() as told:
        database = Database(settings.database_url)
        try:
            database.upgrade()
            key = await DataFolder(data).api_key(database)
            await _publish(database, journeys)
            async with embedded(settings, database, temporal) as stack:
                _show(settings, temporal, key, data)
                await until_told(told, stack.tasks)
                print("stopping …", file=sys.stderr)
        finally:
            await database.dispose()


async def _publish(database: Database, journeys: Path) -> None:
    from authoring.mistakes import JourneysInvalid
    from cli.errors import WrongInputError
    from cli.publish import publish_loaded

    try:
        loaded = check.load(journeys)
    except JourneysInvalid as invalid:
        lines = [*check.in_words(journeys, invalid.mistakes), "what was published before stays"]
        print("\n".join(lines), file=sys.stderr)
        return
    except WrongInputError as wrong:
        print(f"{wrong}; nothing is published", file=sys.stderr)
        return
    for line in (*check.warnings(journeys, loaded), *await publish_loaded(database, loaded, "dev")):
        print(line, file=sys.stderr)


def _show(settings: Settings, temporal: DevServerSettings, key: str, data: Path) -> None:
    page = settings.public_url
    print(
        f"""
Parcours is up. Ctrl-C stops it; its data stay in {data}/.

  API           {page}      documentation: {page}/docs
  key           {key}
  mailbox       {page}/mailbox?key={key}
  enrollments   {page}/enrollments?key={key}
  events        {page}/events?key={key}
  Temporal UI   {temporal.ui_url}
""",
        flush=True,
    )
