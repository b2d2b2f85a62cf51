"""`parcours enrollments`: who is in which journey, and what a person may do to it.

The same orders as the API's, by the same functions: written to the store first, with the
audit log, and carried to Temporal by whoever runs a dispatcher. So they work while Temporal
is away, and while no API runs: then Temporal hears when one does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.store import ACTOR, with_store

if TYPE_CHECKING:
    from api.services import Services
    from api.steering import Steering
    from store.tables import Enrollment, EnrollmentState, Message

enrollments = typer.Typer(
    help="Who is in which journey; cancel, pause, resume, skip.", no_args_is_help=True
)

EnrollmentId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Such as `trial-onboarding:cust_42`.", show_default=False),
]


@enrollments.command("list")
def list_(
    journey: Annotated[str | None, typer.Option(help="Only of this journey.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only of this customer.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only in this state: open, completed, exited, …")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
) -> None:
    """List enrollments, newest first."""
    from store import enrollments as rows
    from store.enrollments import Filter

    which = Filter(journey=journey, customer_id=customer, state=_state(state))

    async def found(services: Services) -> list[Enrollment]:
        async with services.database.reading() as session:
            return await rows.found(session, which, limit=limit)

    _print_list(with_store(found))


@enrollments.command()
def show(enrollment_id: EnrollmentId) -> None:
    """Show one enrollment with every decision, and what comes next."""
    from api.errors import NotFoundError
    from store import enrollments as rows
    from store import messages

    async def found(services: Services) -> tuple[Enrollment, list[Message]]:
        async with services.database.reading() as session:
            row = await rows.get(session, enrollment_id)
            if row is None:
                raise NotFoundError(f"there is no enrollment `{enrollment_id}`")
            return row, await messages.of_enrollment(session, row.id)

    row, decided = with_store(found)
    _print_list([row])
    _print_decided(decided)


@enrollments.command()
def cancel(enrollment_id: EnrollmentId) -> None:
    """End an enrollment for good; nothing more is sent."""
    _order(lambda steering: steering.cancel(enrollment_id))


@enrollments.command()
def pause(enrollment_id: EnrollmentId) -> None:
    """Hold every step; exits and `ends_at` still act."""
    _order(lambda steering: steering.pause(enrollment_id))


@enrollments.command()
def resume(enrollment_id: EnrollmentId) -> None:
    """Let a paused enrollment go on."""
    _order(lambda steering: steering.resume(enrollment_id))


@enrollments.command()
def skip(
    enrollment_id: EnrollmentId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="Its id.", show_default=False)],
) -> None:
    """Do not send a step's next occurrence."""
    _order(lambda steering: steering.skip(enrollment_id, step))


def _order(order: Callable[[Steering], Awaitable[Enrollment]]) -> None:
    from api.steering import Steering

    async def ordered(services: Services) -> Enrollment:
        return await order(Steering(services, ACTOR))

    _print_list([with_store(ordered)])


def _state(text: str | None) -> EnrollmentState | None:
    from cli.errors import WrongInputError
    from store.tables import EnrollmentState

    if text is None:
        return None
    try:
        return EnrollmentState(text)
    except ValueError:
        known = ", ".join(f"`{each.value}`" for each in EnrollmentState)
        raise WrongInputError(f"--state: there is no state `{text}`; there are {known}") from None


def _print_list(rows: list[Enrollment]) -> None:
    from cli.tables import plain_table, utc_minute

    plain_table(
        ("enrollment", "customer", "state", "entered", "next"),
        [
            (
                row.id,
                row.customer_id,
                "paused" if row.ending is None and row.paused_at is not None else row.state.value,
                utc_minute(row.entered_at),
                _next(row),
            )
            for row in rows
        ],
        nothing="there are no enrollments like that",
    )


def _next(row: Enrollment) -> str:
    """`tip 2026-11-25 09:00Z (stopped)`: where something holds it up, it waits till then."""
    from cli.tables import utc_minute

    if row.next_at is None:
        return ""
    held = "" if row.next_reason is None else f" ({row.next_reason})"
    return f"{row.next_step or 'ends'} {utc_minute(row.next_at)}{held}"


def _print_decided(decided: list[Message]) -> None:
    from api.words import decision_in_words
    from cli.tables import plain_table, utc_minute

    plain_table(
        ("step", "decided", "what"),
        [
            (each.step, utc_minute(each.decided_at), decision_in_words(each.decision, each.reason))
            for each in decided
        ],
        nothing="nothing has been decided yet",
    )
