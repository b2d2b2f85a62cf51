"""Keeping that a reader followed a link of a message, or opened it: as a report of our own.

What follows from it is that of any provider's report (`api.callbacks.taking`). The surprising
fact: whether anything is kept is asked when the link is followed, not only when it was made: who
has said no since is not observed any more.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from api.callbacks.report import Report, ReportKind
from api.callbacks.taking import take_report
from api.services import Services
from engine.purposes import may_track_clicks, may_track_opens
from store import consents, journeys, messages
from store.tables import Message

PROVIDER = "parcours"  # of the reports made here

# Two presses of one button are one click.
_ONE_CLICK = timedelta(seconds=10)


async def keep_reading(
    services: Services,
    message_key: str,
    kind: ReportKind,
    url: str | None,
    by_program: Callable[[datetime | None, datetime], bool],
) -> None:
    """Keep it if it may be. `by_program` tells from when the message was sent, and now.

    Raises MessageNotYetKnownError.
    """
    row = await _observed(services, message_key, kind)
    if row is None:
        return
    now = services.wall()
    program = by_program(row.sent_at, now)
    who = "machine" if program else "reader"
    report = Report(
        provider=PROVIDER,
        id=f"{kind}:{message_key}:{who}{_which(url, now)}",
        kind=kind,
        at=now,
        channel=row.channel or "",
        message_key=message_key,
        is_machine=program,
        url=url,
    )
    await take_report(services, report)


def _which(url: str | None, now: datetime) -> str:
    """Which of the message's clicks it is; there is one opening."""
    if url is None:
        return ""
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return f":{digest}:{int(now.timestamp() // _ONE_CLICK.total_seconds())}"


async def _observed(services: Services, message_key: str, kind: ReportKind) -> Message | None:
    """The message, if it may be kept that this happened to it."""
    async with services.database.reading() as session:
        row = await messages.get_by_key(session, message_key)
        published = await journeys.newest_publication(session)
        if row is None or published is None or row.transactional:
            return None
        said = await consents.of_customer(session, row.customer_id)
    may = may_track_clicks if kind is ReportKind.CLICKED else may_track_opens
    return row if may(published.policy, row.topic, said) else None
