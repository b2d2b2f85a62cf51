"""What follows from a provider's report: one transaction each, and a repeat changes nothing.

Rules for whoever edits this next:

1. A report is kept as a delivery event, whose id the provider gives; only a new one does
   anything. So order and number of reports never matter.
2. A message's status only moves forward (`engine.delivery_status`).
3. An address is suppressed by what happened to it, whichever message it was, also one that
   is not ours: the provider's account may serve other programs too.
4. Journeys hear of it as of any event, through `api.accept`, in the same transaction.

The one surprising fact: a report may be faster than our own note that the message was sent.
Then the provider is asked to come again, while it can be that; later, the message is nobody's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.callbacks.report import MessageNotYetKnownError, Report, ReportKind
from api.people import zone_now
from api.services import Services
from api.taking import Said
from engine.bounces import is_given_up
from engine.calls import Call, ChangeConsent, Track
from engine.clock import journey_time
from engine.delivery_status import DeliveryStatus, moves_forward
from engine.events import BuiltInEvent
from engine.localtime import zone
from engine.reactions import of_message
from engine.reasons import Decision
from store import customers, delivery_events, hours, journeys, messages, suppressions
from store.away import is_conflict
from store.tables import Customer, DeliveryEvent, EventKind, Message, Suppression

# A worker that was stopped between the provider's answer and its own note writes it within a
# minute or so, when the activity is tried again.
_NOTE_TAKES = timedelta(minutes=5)

_MOST_TRIES = 5  # of a transaction that the database gave up for another's sake

_STATUSES: Mapping[ReportKind, DeliveryStatus] = {
    ReportKind.DELAYED: DeliveryStatus.DELAYED,
    ReportKind.ON_ITS_WAY: DeliveryStatus.ON_ITS_WAY,
    ReportKind.DELIVERED: DeliveryStatus.DELIVERED,
    ReportKind.OPENED: DeliveryStatus.DELIVERED,
    ReportKind.CLICKED: DeliveryStatus.DELIVERED,
    ReportKind.FAILED: DeliveryStatus.FAILED,
    ReportKind.SOFT_BOUNCED: DeliveryStatus.BOUNCED,
    ReportKind.BOUNCED: DeliveryStatus.BOUNCED,
    ReportKind.INVALID_ADDRESS: DeliveryStatus.BOUNCED,
    ReportKind.COMPLAINED: DeliveryStatus.COMPLAINED,
}

_EVENTS: Mapping[ReportKind, BuiltInEvent] = {
    ReportKind.DELIVERED: BuiltInEvent.MESSAGE_DELIVERED,
    ReportKind.SOFT_BOUNCED: BuiltInEvent.MESSAGE_BOUNCED,
    ReportKind.BOUNCED: BuiltInEvent.MESSAGE_BOUNCED,
    ReportKind.INVALID_ADDRESS: BuiltInEvent.MESSAGE_BOUNCED,
    ReportKind.COMPLAINED: BuiltInEvent.MESSAGE_COMPLAINED,
    ReportKind.OPENED: BuiltInEvent.MESSAGE_OPENED,
    ReportKind.CLICKED: BuiltInEvent.MESSAGE_CLICKED,
}

# Nearly every message is delivered, many are opened: an event row for each would double the
# events for nobody, unless a journey speaks of it.
_ONLY_IF_ASKED_FOR = frozenset({BuiltInEvent.MESSAGE_DELIVERED, BuiltInEvent.MESSAGE_OPENED})

# At once. Soft bounces have a rule of their own.
_SUPPRESSES = frozenset({ReportKind.BOUNCED, ReportKind.INVALID_ADDRESS, ReportKind.COMPLAINED})

# Not sent after all, says the provider; anything else means that it was.
_NEVER_SENT = frozenset({ReportKind.FAILED, ReportKind.INVALID_ADDRESS})


async def take_reports(services: Services, reports: Sequence[Report]) -> None:
    """Take them all. Raises MessageNotYetKnownError, after the others were taken."""
    early = None
    for report in reports:
        try:
            await take_report(services, report)
        except MessageNotYetKnownError as error:
            early = error
    if early is not None:
        raise early


async def take_report(services: Services, report: Report) -> None:
    """Take one report. Raises MessageNotYetKnownError."""
    for _ in range(_MOST_TRIES):
        try:
            async with services.database.transaction() as session:
                carried = await _take(session, services, report)
        except DBAPIError as error:
            if not is_conflict(error):
                raise
            continue
        if carried:
            services.woken.set()
        return
    raise RuntimeError("the customer of a report has kept changing")


async def _take(session: AsyncSession, services: Services, report: Report) -> int:
    """How many rows Temporal has to hear."""
    row = await _message(session, report)
    if row is None:
        if services.wall() - report.at < _NOTE_TAKES:
            raise MessageNotYetKnownError
        await _address(session, services, report, report.address)
        return 0
    calls = await _calls(session, services, report, row)
    accepted = await accept_in(session, services, calls, services.now(), _said(report))
    await customers.hold(session, row.customer_id)
    fresh = await messages.get_by_key(session, row.key)
    if fresh is None or not await delivery_events.record(session, _event(services, report, fresh)):
        return accepted.carried
    await _move(session, report, fresh)
    await _address(session, services, report, fresh.address)
    if report.kind is ReportKind.CLICKED and not report.is_machine:
        await _count(session, fresh, _at(services, report))
    return accepted.carried


async def _count(session: AsyncSession, row: Message, at: datetime) -> None:
    """A reader's click counts for the hour that it was where they are."""
    customer = await session.get(Customer, row.customer_id)
    assert customer is not None  # whose message it is, and who is held
    tz = zone(zone_now(customer, await journeys.newest_publication(session)))
    assert tz is not None  # `zone_now` gives only zones that exist
    await hours.count_click(session, at.astimezone(tz).hour)


def _at(services: Services, report: Report) -> datetime:
    """When it happened, in journey time."""
    return journey_time(services.clock, min(report.at, services.wall()))


async def _message(session: AsyncSession, report: Report) -> Message | None:
    """The message it is about. One that our key names is another provider's only by mistake."""
    if report.message_key is not None:
        found = await messages.get_by_key(session, report.message_key)
        if found is not None:
            return found
    if report.provider_message_id is None:
        return None
    found = await messages.by_provider_message_id(session, report.provider_message_id)
    return found if found is not None and found.provider == report.provider else None


async def _calls(
    session: AsyncSession, services: Services, report: Report, row: Message
) -> list[Call]:
    """What is to be accepted: the event for journeys, and that the customer left."""
    at = _at(services, report)
    message_id = f"{report.provider}:{report.id}"
    if report.kind is ReportKind.UNSUBSCRIBED:
        # The provider's list knows none of our topics: whoever is on it gets none of them.
        leave = ChangeConsent(
            customer_id=row.customer_id,
            at=at,
            message_id=message_id,
            topic=None,
            channel=report.channel,
            subscribed=False,
        )
        return [leave]
    name = _EVENTS.get(report.kind)
    if name is None or report.is_machine:
        return []
    if name in _ONLY_IF_ASKED_FOR and name not in await _asked_for(session):
        return []
    properties = of_message(
        message=row.message,
        journey=row.journey,
        step=row.step,
        topic=row.topic,
        channel=row.channel,
        kind=report.kind.value,
        url=report.url,
    )
    return [
        Track(
            customer_id=row.customer_id,
            at=at,
            message_id=message_id,
            event=name,
            properties=properties,
            kind=EventKind.SYSTEM,
        )
    ]


async def _asked_for(session: AsyncSession) -> frozenset[str]:
    """The events that any journey waits on."""
    published = await journeys.newest_publication(session)
    return (await journeys.watched_by_all(session, published)).events


def _said(report: Report) -> Said:
    return Said(source=report.provider, actor=report.provider)


def _event(services: Services, report: Report, row: Message) -> DeliveryEvent:
    return DeliveryEvent(
        provider_event_id=f"{report.provider}:{report.id}",
        message_key=row.key,
        customer_id=row.customer_id,
        kind=report.kind,
        at=report.at,
        received_at=services.wall(),
        provider=report.provider,
        is_machine=report.is_machine,
        details={**report.details, **({} if report.url is None else {"url": report.url})},
    )


async def _move(session: AsyncSession, report: Report, row: Message) -> None:
    if row.decision is Decision.UNKNOWN and report.kind not in _NEVER_SENT:
        await messages.resolve_unknown(session, row.key, Decision.SENT)
    status = None if report.is_machine else _STATUSES.get(report.kind)
    if status is not None and moves_forward(row.status, status):
        await messages.set_status(session, row.key, status, report.at)


async def _address(
    session: AsyncSession, services: Services, report: Report, address: str | None
) -> None:
    """Write to it no more, where the report says so; or again, where the provider does."""
    if address is None:
        return
    if report.kind is ReportKind.RESUBSCRIBED:
        await suppressions.lift(session, report.channel, address, source=report.provider)
    elif report.kind in _SUPPRESSES or (
        report.kind is ReportKind.SOFT_BOUNCED and await _is_given_up(session, report, address)
    ):
        suppression = Suppression(
            channel=report.channel,
            address=address,
            reason=report.kind.value,
            at=services.wall(),
            source=report.provider,
        )
        await suppressions.add(session, suppression)


async def _is_given_up(session: AsyncSession, report: Report, address: str) -> bool:
    """The times are the provider's, so the newest of its reports is now."""
    told = await delivery_events.of_address(
        session, report.channel, address, (ReportKind.SOFT_BOUNCED, ReportKind.DELIVERED)
    )
    bounced = [at for kind, at in told if kind == ReportKind.SOFT_BOUNCED]
    delivered = [at for kind, at in told if kind == ReportKind.DELIVERED]
    return is_given_up(bounced, max(delivered, default=None), max([report.at, *bounced]))
