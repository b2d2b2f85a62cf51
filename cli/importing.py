"""`parcours import`: what was known of customers before, from files into the store.

Decides what is asked and what is told; rows are read by `cli.row_files` and taken by
`api.importing`, in small transactions. The one surprising fact: it leaves with 1 although
it did all it could, if a row was refused, so that a script which goes on has to say so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from api.importing.running import Importer
    from api.services import Services
    from cli.refusals import Refusals
    from cli.row_files import RowFile

imports = typer.Typer(
    help="Bring in customers, consents and suppressions from CSV or JSONL files.",
    no_args_is_help=True,
)

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="CSV with a header, or JSONL; may be gzipped. `-` is standard input.",
        show_default=False,
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=NAME",
        help="What a column is called here; without NAME it is left out. May be repeated.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write every row that was refused, and why, to a .csv or .jsonl."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the outcome as a JSON object.")]


@dataclass(frozen=True)
class _Asked:
    """What was typed."""

    kind: str
    file: Path
    dry_run: bool
    names: Sequence[str]
    report: Path | None
    as_json: bool
    required: tuple[tuple[str, ...], ...]
    clear_empty: bool = False


@dataclass
class _Outcome:
    """What has become of the rows so far."""

    new: int = 0
    known: int = 0
    is_stopped: bool = False


@imports.command()
def customers(
    file: FileArgument,
    dry_run: DryRunOption = False,
    names: MapOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
    clear_empty: Annotated[
        bool,
        typer.Option("--clear-empty", help="An empty cell clears the trait; else it says nothing."),
    ] = False,
) -> None:
    """Bring in customers: `id`, if you like a `timestamp`, and their traits."""
    from api.importing.customers import CustomerImport

    asked = _Asked(
        "customers", file, dry_run, names or (), report, as_json, (("id",),), clear_empty
    )
    _import(asked, CustomerImport)


@imports.command()
def consents(
    file: FileArgument,
    dry_run: DryRunOption = False,
    names: MapOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in who subscribed and unsubscribed: `id` or `email`, `topic`, `state`, `at`."""
    from api.importing.consents import ConsentImport

    required = (("id", "email"), ("topic",), ("state",), ("at",))
    asked = _Asked("consents", file, dry_run, names or (), report, as_json, required)
    _import(asked, ConsentImport)


@imports.command()
def suppressions(
    file: FileArgument,
    dry_run: DryRunOption = False,
    names: MapOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in addresses that nothing may be sent to: `channel`, `address`."""
    from api.importing.suppressions import SuppressionImport

    required = (("channel",), ("address",))
    asked = _Asked("suppressions", file, dry_run, names or (), report, as_json, required)
    _import(asked, lambda services, now: SuppressionImport(now))


def _import(asked: _Asked, importer_of: Callable[[Services, datetime], Importer]) -> None:
    from cli.columns import renaming
    from cli.errors import StoppedError, TroubleError
    from cli.refusals import reporting
    from cli.row_files import RowFile, opened

    names: Mapping[str, str] = renaming(asked.names)
    with opened(asked.file) as raw:
        rows = RowFile(asked.file, raw, names, asked.required, clear_empty=asked.clear_empty)
        with reporting(rows.name, asked.report) as refusals:
            outcome = asyncio.run(_run(asked, importer_of, rows, refusals))
    total = outcome.new + outcome.known + refusals.total
    print(_as_json(asked, outcome, refusals) if asked.as_json else _in_words(asked, outcome, total))
    if outcome.is_stopped:
        raise StoppedError("stopped: type the same again to go on; what is in is known then")
    if refusals.total:
        raise TroubleError(refusals.told(total))


async def _run(
    asked: _Asked,
    importer_of: Callable[[Services, datetime], Importer],
    rows: RowFile,
    refusals: Refusals,
) -> _Outcome:
    from api.importing.running import run_import
    from api.services import Services
    from cli.store import opened, settings_without_links
    from worker.stopping import told_to_stop

    settings = settings_without_links()
    outcome = _Outcome()
    async with opened(settings) as database:
        services = Services(database=database, settings=settings)
        with told_to_stop() as told, progress(rows) as show:
            parts = run_import(
                services,
                importer_of(services, services.now()),
                rows.entries(),
                dry_run=asked.dry_run,
                is_stopped=told.is_set,
            )
            async for taken in parts:
                outcome.new += len(taken.new)
                outcome.known += taken.known
                refusals.add(taken.refused)
                show(outcome.new + outcome.known + refusals.total)
            outcome.is_stopped = told.is_set()
    return outcome


@contextmanager
def progress(rows: RowFile) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how far a file has been read; is told how many rows are done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("", total=rows.size)
        yield lambda done: bar.update(task, completed=rows.offset, description=f"{done:,} rows")


def _in_words(asked: _Asked, outcome: _Outcome, total: int) -> str:
    refused = total - outcome.new - outcome.known
    told = f"{total} rows of {asked.kind}: {outcome.new} new, {outcome.known} known already"
    told += f", {refused} refused"
    return f"{told}; nothing was written" if asked.dry_run else told


def _as_json(asked: _Asked, outcome: _Outcome, refusals: Refusals) -> str:
    return json.dumps(
        {
            "kind": asked.kind,
            "file": str(asked.file),
            "dry_run": asked.dry_run,
            "rows": outcome.new + outcome.known + refusals.total,
            "new": outcome.new,
            "known": outcome.known,
            "refused": refusals.total,
            "codes": dict(sorted(refusals.counts.items())),
        }
    )
