"""`parcours stop`, `start` and `stops`: hold messages back, let them go on, see what is held.

By the functions of the API, on the store itself: so they work while no API runs. A stop
holds when the command has ended with 0, whoever claims messages. Decides only how it is told.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.store import ACTOR, with_store

if TYPE_CHECKING:
    from api.services import Services
    from api.stopping import Standing, Started
    from engine.stops import Target
    from store.tables import Stop

What = Annotated[
    list[str],
    typer.Argument(
        metavar="WHAT",
        help="`everything`, `marketing`, `channel CHANNEL`, `journey JOURNEY`, or "
        "`step JOURNEY STEP`.",
        show_default=False,
    ),
]


def stop(
    what: What,
    why: Annotated[
        str | None, typer.Option(metavar="TEXT", help="For whoever finds it stopped.")
    ] = None,
) -> None:
    """Hold messages back: they wait, until `parcours start` or the end of their grace."""
    from api.stopping import Stopping

    target = _target(what)

    async def stopped(services: Services) -> Stop:
        return await Stopping(services, ACTOR).stop(target, why)

    row = with_store(stopped)
    print(f"{target.in_words} is stopped (number {row.id}): nothing of it goes out from now on")


def start(
    what: What,
    rate: Annotated[
        float,
        typer.Option(metavar="N", help="How many of those who waited go on a second."),
    ] = 20.0,
) -> None:
    """Start again what was stopped; broken off, type it again, and it goes on."""
    from api.stopping import Stopping

    target = _target(what)

    async def started(services: Services) -> tuple[Started, int]:
        from api.stopping import standing

        done = await Stopping(services, ACTOR).start(target, rate)
        return done, (await standing(services)).waiting

    done, waiting = with_store(started)
    if not done.lifted:
        print(f"{target.in_words} was not stopped", file=sys.stderr)
    else:
        print(f"{target.in_words} goes on")
    if done.last_at is not None:
        print(
            f"{done.woken} that waited go out, {rate:g} a second, the last at "
            f"{done.last_at:%Y-%m-%d %H:%M:%S}Z"
        )
    if waiting:
        print(f"{waiting} still wait: see `parcours stops` for what else is stopped")


def stops() -> None:
    """List what is stopped, and what was."""
    from api.stopping import standing
    from cli.tables import plain_table, utc_minute

    async def found(services: Services) -> Standing:
        return await standing(services)

    known = with_store(found)
    plain_table(
        ("number", "what", "since", "by", "why", "until"),
        [
            (
                str(row.id),
                row.target.in_words,
                utc_minute(row.at),
                row.actor,
                row.why or "",
                "in force"
                if row.lifted_at is None
                else f"{utc_minute(row.lifted_at)} by {row.lifted_by}",
            )
            for row in known.stops
        ],
        nothing="nothing is stopped, and nothing was",
    )
    if known.waiting:
        print(f"{known.waiting} messages wait")
        if all(row.lifted_at is not None for row in known.stops):
            print(
                "nothing stops them any more: an earlier start was broken off, so type it again "
                "(any `parcours start` will do)"
            )


def _target(words: list[str]) -> Target:
    """What the words on the command line name. Raises WrongInputError."""
    from cli.errors import WrongInputError
    from engine.stops import StopScope, Target

    match words:
        case ["everything" | "marketing" as scope]:
            return Target(StopScope(scope))
        case ["channel", channel]:
            return Target(StopScope.CHANNEL, channel=channel)
        case ["journey", journey]:
            return Target(StopScope.JOURNEY, journey=journey)
        case ["step", journey, step]:
            return Target(StopScope.STEP, journey=journey, step=step)
    raise WrongInputError(
        f"`{' '.join(words)}`: write `everything`, `marketing`, `channel CHANNEL`, "
        "`journey JOURNEY` or `step JOURNEY STEP`"
    )
