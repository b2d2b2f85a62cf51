"""`parcours simulate`: what would these customers get, and when?

Plays recorded calls through one journey, by the pure simulator or (`--on-temporal`) by the
real stack on a Temporal server that skips time; either way the same lines come out, and
the same code prints them. Nothing is sent, and no store of yours is touched.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import check
from cli.errors import WrongInputError
from cli.options import JOURNEYS, JourneysOption

if TYPE_CHECKING:
    from authoring.folder import LoadedJourney, LoadedJourneys
    from engine.calls import Call, Played
    from engine.lines import Line
    from engine.policy import Policy


def simulate(
    journey: Annotated[
        str, typer.Argument(metavar="JOURNEY", help="Its name.", show_default=False)
    ],
    events: Annotated[
        Path,
        typer.Option(
            metavar="FILE.jsonl",
            help="Segment calls, one JSON object a line, each with a `timestamp`.",
            show_default=False,
        ),
    ],
    journeys: JourneysOption = JOURNEYS,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Look no further than this (inclusive; a date is 00:00 UTC). "
            "By default 400 days after the last event.",
        ),
    ] = None,
    on_temporal: Annotated[
        bool,
        typer.Option("--on-temporal", help="Play it on a real Temporal server that skips time."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, in time order.")
    ] = False,
) -> None:
    """Print what each customer would get from a journey, and when."""
    from cli.recorded import read_calls

    loaded = check.load_or_leave(journeys)
    named = _named(loaded, journey, journeys)
    until_at = None if until is None else _instant(until)
    calls = read_calls(events)
    if on_temporal:
        lines = _play_on_temporal(named, loaded.policy, calls, until_at)
    else:
        lines = play(named, loaded.policy, calls, until_at)
    _print(lines, calls, loaded.policy, as_json)


def play(
    named: LoadedJourney, policy: Policy, calls: Sequence[Played], until: datetime | None
) -> list[Line]:
    """The lines of one journey, by the pure simulator. Raises CannotReact."""
    from activities import places
    from cli.sample_wording import SampleWording
    from engine.person import Stage
    from engine.simulator import simulate as played
    from rendering.conditions import counted, evaluate

    name = named.journey.journey
    stage = Stage(
        journeys={name: named.journey},
        policy=policy,
        channels={name: {each: m.channels for each, m in named.messages.items()}},
        evaluate=evaluate,
        word=SampleWording({name: named.messages}, policy),
        atlas=places,
        counted=counted,
    )
    return played(stage, calls, until)


def _play_on_temporal(
    named: LoadedJourney, policy: Policy, calls: Sequence[Call], until: datetime | None
) -> list[Line]:
    import asyncio
    import logging

    from settings import LogFormat
    from worker.logs import configure_logs
    from worker.rehearsal import rehearse

    configure_logs(LogFormat.CONSOLE, logging.ERROR)
    return asyncio.run(rehearse(named, policy, calls, until))


def _named(loaded: LoadedJourneys, journey: str, folder: Path) -> LoadedJourney:
    found = loaded.journeys.get(journey)
    if found is None:
        known = ", ".join(f"`{name}`" for name in loaded.journeys)
        raise WrongInputError(f"there is no journey `{journey}` in {folder}: it has {known}")
    return found


def _instant(text: str) -> datetime:
    from engine.localtime import zone
    from engine.values import read_instant

    utc = zone("UTC")
    assert utc is not None  # tzdata has it
    at = read_instant(text, utc)
    if at is None:
        raise WrongInputError(f"--until: `{text}` is not a date: write it as `2026-12-31`")
    return at


def _print(
    lines: Sequence[Line], calls: Sequence[Call], policy: Policy, as_json_lines: bool
) -> None:
    from cli.lines import as_json, print_tables

    if as_json_lines:
        sys.stdout.writelines(f"{as_json(line)}\n" for line in lines)
        return
    from rich.console import Console

    from cli.zones import Zones

    print_tables(lines, Zones(calls, policy.timezone).at, Console())
