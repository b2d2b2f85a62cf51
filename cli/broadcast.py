"""`parcours broadcast`: send to many at once, and see, hold or end it.

By the functions of the API, on the store itself: so it works while no API runs, and begins
once one does, which tells Temporal. Decides how it is typed and told, and that nobody sends
to many without having seen to how many.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import TroubleError, WrongInputError
from cli.store import ACTOR, with_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.broadcasting.asked import Asked
    from api.broadcasting.previewing import Preview
    from api.services import Services
    from store.broadcasts import Decided
    from store.tables import Broadcast

broadcast = typer.Typer(
    help="""Send to many at once: a journey, one message, or an event.

    \b
    parcours broadcast preview --message win-back/offer \\
        --audience "customer.plan == 'free' and subscribed('news')"
    parcours broadcast start spring-sale --message win-back/offer \\
        --at-local 09:00 --on 2026-12-01 --rate 50/second
    parcours broadcast start line-4 --event line_restored --property line=4
    """,
    no_args_is_help=True,
)

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600}

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)]
Journey = Annotated[
    str | None, typer.Option(metavar="JOURNEY", help="Enroll each in this journey, as by hand.")
]
Message = Annotated[
    str | None, typer.Option(metavar="JOURNEY/STEP", help="Send each this step's message alone.")
]
Event = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Give each an event, as if the app had sent it."),
]
Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property", metavar="NAME=VALUE", help="Of the event or the enrollment; may be repeated."
    ),
]
Audience = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION",
        help="Whom: a condition over `customer`, `count(…)`, `inside(…)`, `subscribed(…)`. "
        "Everybody, if left out.",
    ),
]


@broadcast.command()
def preview(
    journey: Journey = None,
    message: Message = None,
    event: Event = None,
    properties: Properties = None,
    audience: Audience = None,
) -> None:
    """Count who would get it now, and of the others how many would not, and why."""
    from api.broadcasting.asked import Asked

    asked = Asked("preview", journey, message, event, _properties(properties), audience)
    _print_preview(_previewed(asked))


@broadcast.command()
def start(
    name: Name,
    journey: Journey = None,
    message: Message = None,
    event: Event = None,
    properties: Properties = None,
    audience: Audience = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When; UTC where it names no zone. Default: now."),
    ] = None,
    at_local: Annotated[
        str | None,
        typer.Option(metavar="HH:MM", help="At each customer's own local time, today."),
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="DATE", help="With --at-local: on this day.")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="N/UNIT",
            help="At most so many a `second`, `minute` or `hour`, such as `50/second`.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
) -> None:
    """Begin a broadcast, once you have seen to how many it goes."""
    from api.broadcasting.asked import Asked
    from api.broadcasting.orders import Broadcasting

    asked = Asked(
        name,
        journey,
        message,
        event,
        _properties(properties),
        audience,
        at=_instant(at),
        local_time=_local_time(at_local, on),
        per_second=_per_second(rate),
    )
    if not (yes or sys.stdin.isatty()):
        raise WrongInputError(
            "nobody can be asked here: look with `parcours broadcast preview`, then add `--yes`"
        )
    if not yes:
        told = _previewed(asked)
        _print_preview(told)
        if not typer.confirm(f"Send it to {told.gets:,}?", err=True):
            raise TroubleError("nothing was sent")

    async def begun(services: Services) -> Broadcast:
        return await Broadcasting(services, ACTOR).start(asked)

    row = with_store(begun)
    print(f"{row.id} begins {_begins(row)}: see `parcours broadcast show {row.id}`")


@broadcast.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
) -> None:
    """List broadcasts, newest first."""
    from cli.tables import plain_table, utc_minute
    from store import broadcasts
    from store.broadcasts import Counted

    async def found(services: Services) -> list[Broadcast]:
        async with services.database.reading() as session:
            return await broadcasts.newest(session, limit)

    plain_table(
        ("name", "what", "state", "begins", "taken up", "by"),
        [
            (
                row.id,
                _what(row),
                row.state.value,
                utc_minute(row.start_at),
                f"{Counted.of(row).inside:,}",
                row.created_by,
            )
            for row in with_store(found)
        ],
        nothing="no broadcasts",
    )


@broadcast.command()
def show(name: Name) -> None:
    """Show how far a broadcast has got, and what became of its messages."""
    from api.broadcasting.orders import find
    from cli.tables import plain_table
    from store import broadcasts
    from store.broadcasts import Counted

    async def found(services: Services) -> tuple[Broadcast, int, Decided]:
        row = await find(services, name)
        async with services.database.reading() as session:
            waiting = await broadcasts.count_open(session, name)
            return row, waiting, await broadcasts.decided(session, name)

    row, waiting, decided = with_store(found)
    print(f"{row.id}: {_what(row)}, {row.state.value} (by {row.changed_by})")
    print(f"begins {_begins(row)}, to {row.audience or 'everybody'}")
    counted = Counted.of(row)
    lines = {"taken up": counted.inside, **_outs(counted.out or {})}
    if row.step is not None:
        lines |= {"sent": decided.sent, "unknown": decided.unknown, "yet to be sent": waiting}
        lines |= {f"not sent: {reason}": n for reason, n in decided.not_sent.items()}
    plain_table(("", "customers"), [(what, f"{n:,}") for what, n in lines.items()])


@broadcast.command()
def pause(name: Name) -> None:
    """Let nobody more have it, until it is resumed."""
    _order(name, "pause", "is paused: nobody more gets it until `parcours broadcast resume`")


@broadcast.command()
def resume(name: Name) -> None:
    """Let a paused broadcast go on where it was."""
    _order(name, "resume", "goes on")


@broadcast.command()
def stop(name: Name) -> None:
    """End a broadcast for good: who has not had it will not."""
    _order(name, "stop", "is stopped: nobody more gets it")


def _order(name: str, order: str, told: str) -> None:
    from api.broadcasting.orders import Broadcasting

    async def done(services: Services) -> Broadcast:
        answer: Broadcast = await getattr(Broadcasting(services, ACTOR), order)(name)
        return answer

    print(f"{with_store(done).id} {told}")


def _previewed(asked: Asked) -> Preview:
    from api.broadcasting.previewing import preview as previewed

    async def counted(services: Services) -> Preview:
        return await previewed(services, asked, ACTOR)

    return with_store(counted)


def _print_preview(told: Preview) -> None:
    from cli.tables import plain_table

    lines = {"customers": told.customers, "in the audience": told.audience, "get it": told.gets}
    lines |= _outs(dict(told.out.most_common()))
    plain_table(("", "now"), [(what, f"{number:,}") for what, number in lines.items()])


def _outs(out: Mapping[str, int]) -> dict[str, int]:
    return {f"without it: {reason}": number for reason, number in out.items()}


def _what(row: Broadcast) -> str:
    from store import broadcasts

    return f"{row.kind.value} {broadcasts.what(row)}"


def _begins(row: Broadcast) -> str:
    when = f"{row.start_at:%Y-%m-%d %H:%M}Z"
    if row.local_time is not None:
        when += f", at each one's own {row.local_time}"
    return when if row.per_second is None else f"{when}, {row.per_second:g} a second"


def _properties(given: list[str] | None) -> dict[str, Any]:
    """Each value is JSON if it can be read so, else the text. Raises WrongInputError."""
    import json

    told: dict[str, Any] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not (equals and name):
            raise WrongInputError(f"--property: `{each}`: write `NAME=VALUE`")
        try:
            told[name] = json.loads(value)
        except ValueError:
            told[name] = value
    return told


def _instant(text: str | None) -> Any:
    """Raises WrongInputError."""
    from engine.localtime import zone
    from engine.values import read_instant

    utc = zone("UTC")
    assert utc is not None  # tzdata has it
    if text is None:
        return None
    found = read_instant(text, utc)
    if found is None:
        raise WrongInputError(f"--at: `{text}` is no time: write `2026-12-01T08:00Z`")
    return found


def _local_time(at_local: str | None, on: str | None) -> str | None:
    if on is not None and at_local is None:
        raise WrongInputError("--on is a day of --at-local: give both")
    return at_local if on is None else f"{on} {at_local}"


def _per_second(rate: str | None) -> float | None:
    """Raises WrongInputError."""
    if rate is None:
        return None
    number, _, unit = rate.partition("/")
    seconds = _SECONDS.get(unit or "second")
    try:
        if seconds is None or not (each := float(number)) > 0:
            raise ValueError
    except ValueError:
        raise WrongInputError(
            f"--rate: `{rate}`: write `50/second`, `300/minute` or `5000/hour`"
        ) from None
    return each / seconds
