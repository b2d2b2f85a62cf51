"""What customers do with their messages in a rehearsal, done the way it really comes about.

A link is taken from the mail that the mailbox captured and kept as the API keeps it; a coupon is
found by its message and used as a till uses it. Which message is meant the simulator decides
too, by the same function. The surprising fact: everybody's clicks are forgotten again. Best
hours reckon with them, and of others' a simulation knows nothing.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes, policy
from html import unescape

from api.callbacks.report import ReportKind
from api.coupons import redeem
from api.errors import ConflictError
from api.link_pages import links_of
from api.reading import keep_reading
from api.services import Services
from engine.calls import FollowLink, Reaction, UseCoupon
from engine.purposes import may_track_clicks
from engine.reactions import CannotReact, Got, meant
from engine.reasons import Decision
from rendering.links import BadLinkError
from store import consents, enrollments, hours, journeys, mailbox, messages, offers

_HREF = re.compile(r'\shref="([^"]*)"', re.IGNORECASE)


async def react(services: Services, reaction: Reaction) -> None:
    """Do it at the time that the services take for now. Raises CannotReact."""
    got = meant(reaction, await _received(services, reaction.customer_id))
    match reaction:
        case FollowLink():
            await _follow(services, reaction, got)
        case UseCoupon():
            await _use(services, reaction, got)


async def _received(services: Services, customer_id: str) -> list[Got]:
    async with services.database.reading() as session:
        keys = {each.id: each.key for each in await enrollments.of_customer(session, customer_id)}
        with_coupon = {each.message_key for each in await offers.of_customer(session, customer_id)}
        rows = await messages.of_customer(session, customer_id)
    return [
        Got(
            message_key=row.key,
            enrollment=row.enrollment_id,
            journey=row.journey,
            step=row.step,
            key=keys[row.enrollment_id],
            at=row.decided_at,
            message=row.message,
            channel=row.channel,
            topic=row.topic,
            has_coupon=row.key in with_coupon,
        )
        for row in reversed(rows)
        if row.decision is Decision.SENT
    ]


async def _follow(services: Services, link: FollowLink, got: Got) -> None:
    """The link that leads there, or the mail's first; nothing if links tell of nobody."""
    async with services.database.reading() as session:
        mail = await mailbox.by_key(session, got.message_key)
        published = await journeys.newest_publication(session)
        said = await consents.of_customer(session, link.customer_id)
    assert mail is not None  # it was sent
    assert published is not None  # or it would not have been
    if got.topic is None or not may_track_clicks(published.policy, got.topic, said):
        return
    leads = [url for url in _leads(services, mail.raw) if link.url in (None, url)]
    if not leads:
        where = "can be followed" if link.url is None else f"leads to {link.url}"
        raise CannotReact(link, f"no link in the message of `{link.step}` {where}")
    key, kind = got.message_key, ReportKind.CLICKED
    await keep_reading(services, key, kind, leads[0], _by_reader)
    async with services.database.transaction() as session:
        await hours.forget(session)


def _leads(services: Services, raw: bytes) -> Iterator[str]:
    """Where those links of a mail lead by which we learn that they were followed."""
    body = message_from_bytes(raw, policy=policy.default).get_body(("html",))
    links = links_of(services)
    for href in _HREF.findall(body.get_content() if body is not None else ""):
        try:
            yield links.click(unescape(href).rpartition("/")[2]).url
        except BadLinkError:
            continue


def _by_reader(sent_at: datetime | None, now: datetime) -> bool:
    """Nobody here is a program, however fast the time goes by."""
    return False


async def _use(services: Services, use: UseCoupon, got: Got) -> None:
    async with services.database.reading() as session:
        offer = await offers.of_message(session, got.message_key)
    assert offer is not None  # `meant` saw to it
    try:
        await redeem(services, offer.code, "rehearsal", use.order)
    except ConflictError as error:
        raise CannotReact(use, f"of `{use.step}`: {error}") from None
