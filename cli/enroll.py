"""`parcours enroll`: put customers on a list into a journey, midway, a few a second.

Decides what a person sees before anybody is enrolled, and the pace. Who may enter is
`api.importing.listed`'s to say. The one surprising fact: the list is read twice, first to
see what it would come to and then to do it, and in between customers may have changed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import StoppedError, TroubleError, WrongInputError
from cli.importing import MapOption, ReportOption

if TYPE_CHECKING:
    from api.importing.listed import Became, Begins, ListedEnrolling
    from api.importing.rows import Refusal, Row
    from cli.refusals import Refusals
    from cli.row_files import RowFile
    from engine.definition import Journey

# Two cores start one to two hundred enrollments a second and do nothing else then; so this
# leaves most of the machine to those already inside. And what is due soon is due spread.
_RATE = 20.0

_ACTOR = "cli"  # whom the audit log names


@dataclass(frozen=True)
class _Asked:
    """What was typed."""

    journey: str
    file: Path
    begins: Begins
    names: dict[str, str]
    required: tuple[tuple[str, ...], ...]
    report: Path | None
    rate: float
    dry_run: bool
    yes: bool


@dataclass
class _Tally:
    """What has become of the rows so far. `steps` counts occurrences by (step, when)."""

    entered: int = 0
    there: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)


def enroll(
    journey: Annotated[
        str, typer.Argument(metavar="JOURNEY", help="Its name.", show_default=False)
    ],
    file: Annotated[
        Path,
        typer.Option(
            "--list",
            metavar="FILE",
            help="Who: CSV or JSONL with `id`; other columns are properties.",
            show_default=False,
        ),
    ],
    start_at: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|TIME",
            help="When the journey began for them: a column of the list (default `start_at`), "
            "or a time for all. Where neither says, now.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=1000, metavar="N", help="At most so many a second.")
    ] = _RATE,
    names: MapOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would happen; enroll nobody.")
    ] = False,
    report: ReportOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
) -> None:
    """Enroll existing customers by a list, as if each had begun when the list says."""
    from cli.columns import renaming
    from cli.row_files import STDIN

    if file == STDIN:
        raise WrongInputError("--list: name a file; it is read twice, so `-` will not do")
    if not (yes or dry_run or sys.stdin.isatty()):
        raise WrongInputError("nobody can be asked here: look with `--dry-run`, then add `--yes`")
    begins, columns = _begins(start_at)
    asked = _Asked(
        journey, file, begins, renaming(names or ()), columns, report, rate, dry_run, yes
    )
    told = asyncio.run(_run(asked))
    if told is not None:
        raise told


def _begins(start_at: str | None) -> tuple[Begins, tuple[tuple[str, ...], ...]]:
    """What `--start-at` says, and the columns that the list must have."""
    from api.importing.listed import ID, Begins
    from engine.localtime import zone
    from engine.values import read_instant

    utc = zone("UTC")
    assert utc is not None  # tzdata has it
    if start_at is None:
        return Begins(), ((ID,),)
    if read_instant(start_at, utc) is not None:
        return Begins(default=start_at), ((ID,),)
    return Begins(column=start_at), ((ID,), (start_at,))


async def _run(asked: _Asked) -> StoppedError | TroubleError | None:
    """What is to be told at the end, if not all went in."""
    from api.importing.listed import ListedEnrolling
    from api.services import Services
    from cli.store import opened, settings_without_links

    settings = settings_without_links()
    async with opened(settings) as database:
        services = Services(database=database, settings=settings)
        enrolling = ListedEnrolling(services, asked.journey, asked.begins, _ACTOR)
        journey = await enrolling.find_journey()
        with _list_of(asked) as (rows, refusals):
            tally, is_stopped = await _preview(enrolling, rows, refusals)
        total = tally.entered + tally.there + refusals.total
        if is_stopped:
            return StoppedError("stopped: nobody was enrolled")
        _print_preview(journey, tally, refusals, asked.rate)
        if asked.dry_run or not tally.entered:
            return TroubleError(refusals.told(total)) if refusals.total else None
        if not asked.yes and not typer.confirm(f"Enroll {tally.entered}?", err=True):
            return TroubleError("nobody was enrolled")
        with _list_of(asked) as (rows, refusals):
            tally, is_stopped = await _enroll(enrolling, rows, refusals, asked.rate)
    total = tally.entered + tally.there + refusals.total
    print(f"{tally.entered} enrolled, {tally.there} were before, {refusals.total} refused")
    if is_stopped:
        return StoppedError("stopped: type the same again, it goes on with those who are not in")
    return TroubleError(refusals.told(total)) if refusals.total else None


@contextmanager
def _list_of(asked: _Asked) -> Iterator[tuple[RowFile, Refusals]]:
    from cli.refusals import reporting
    from cli.row_files import RowFile, opened

    with opened(asked.file) as raw:
        rows = RowFile(asked.file, raw, asked.names, asked.required)
        with reporting(rows.name, asked.report) as refusals:
            yield rows, refusals


async def _preview(
    enrolling: ListedEnrolling, rows: RowFile, refusals: Refusals
) -> tuple[_Tally, bool]:
    """What it would come to, and whether somebody stopped us."""
    from api.importing.listed import AT_ONCE, Entered
    from api.importing.running import parts
    from cli.importing import progress
    from worker.stopping import told_to_stop

    tally = _Tally()
    entered: set[str] = set()  # of a list that people wrote: it fits
    with told_to_stop() as told, progress(rows) as show:
        for part in parts(rows.entries(), AT_ONCE):
            if told.is_set():
                break
            rest = _refuse_unread(part, refusals)
            for became in await enrolling.preview(rest):
                if isinstance(became, Entered) and became.enrollment_id in entered:
                    tally.there += 1
                    continue
                _count(became, tally, refusals)
                if isinstance(became, Entered):
                    entered.add(became.enrollment_id)
            show(tally.entered + tally.there + refusals.total)
        return tally, told.is_set()


async def _enroll(
    enrolling: ListedEnrolling, rows: RowFile, refusals: Refusals, rate: float
) -> tuple[_Tally, bool]:
    """Enroll them, and whether somebody stopped us. Only those who enter take their time."""
    from api.importing.listed import Entered
    from api.importing.running import parts
    from cli.importing import progress
    from worker.stopping import told_to_stop

    tally = _Tally()
    loop = asyncio.get_running_loop()
    free_at = loop.time()
    with told_to_stop() as told, progress(rows) as show:
        for part in parts(rows.entries(), 1):
            for row in _refuse_unread(part, refusals):
                if await _is_told_before(told, free_at - loop.time()):
                    return tally, True
                became = await enrolling.enroll(row)
                _count(became, tally, refusals)
                if isinstance(became, Entered):
                    free_at = max(free_at, loop.time()) + 1 / rate
            show(tally.entered + tally.there + refusals.total)
    return tally, False


async def _is_told_before(told: asyncio.Event, seconds: float) -> bool:
    """Whether we are told to stop within so many seconds."""
    if seconds > 0 and not told.is_set():
        try:
            await asyncio.wait_for(told.wait(), seconds)
        except TimeoutError:
            return False
    return told.is_set()


def _refuse_unread(part: Sequence[Row | Refusal], refusals: Refusals) -> list[Row]:
    from api.importing.rows import Row

    refusals.add(each for each in part if not isinstance(each, Row))
    return [each for each in part if isinstance(each, Row)]


def _count(became: Became, tally: _Tally, refusals: Refusals) -> None:
    from api.importing.listed import AlreadyThere, Entered

    match became:
        case Entered(outlook=outlook):
            tally.entered += 1
            if outlook is not None:
                tally.steps.update((step, when.value) for step, when in outlook.steps)
            if outlook is not None and outlook.ended is not None:
                tally.endings[outlook.ended.ending.value] += 1
        case AlreadyThere():
            tally.there += 1
        case _:
            refusals.add([became])


def _print_preview(journey: Journey, tally: _Tally, refusals: Refusals, rate: float) -> None:
    from cli.tables import plain_table
    from engine.outlook import When

    print(
        f"{tally.entered} would enter `{journey.journey}`, {tally.there} are there by this list, "
        f"{refusals.total} are refused. At {rate:g} a second: {_span(tally.entered / rate)}."
    )
    for ending, count in sorted(tally.endings.items()):
        print(f"{count} would be over at once: {ending}.")
    if not tally.entered:
        return
    titles = ("past, not sent", "due now", "within a day", "later", "waiting", "never")
    plain_table(
        ("step", *titles),
        [
            (step.id, *(_shown(tally.steps[step.id, when.value]) for when in When))
            for step in journey.steps
        ],
    )
    print("Whether what is due goes out (consent, conditions, caps) is decided when it is due.")


def _shown(count: int) -> str:
    return f"{count:,}" if count else "–"


def _span(seconds: float) -> str:
    """About how long, for a person."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
