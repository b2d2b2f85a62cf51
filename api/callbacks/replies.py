"""What people answer by text message: STOP, START and HELP, in their own words.

A STOP is about the number, so the number is suppressed, and everybody whom we wrote to there
has left by that channel. A START undoes exactly that: topics that they had before come back,
others do not. The one surprising fact: it is the number that speaks, whosever it is now.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.callbacks.stop_words import Reply, meaning_of
from api.services import Services
from api.taking import Said
from api.words import ReplyWords, reply_words
from engine.calls import Call, ChangeConsent
from engine.consent import state_of
from engine.policy import Policy
from store import consents, customers, journeys, messages, suppressions
from store.tables import Consent, ConsentState, Suppression

CHANNEL = "sms"
SOURCE = "sms-reply"  # of the ledger's rows
STOPPED = "stopped"  # why the number is suppressed


@dataclass(frozen=True)
class TextMessage:
    """One that somebody sent to us. `id` is the provider's, the same when it tells again."""

    id: str
    sender: str  # E.164
    text: str


async def take_reply(services: Services, message: TextMessage) -> str | None:
    """Do what it asks for, once; the text to answer with, if any."""
    reply = meaning_of(message.text)
    if reply is None:
        return None
    async with services.database.transaction() as session:
        published = await journeys.newest_publication(session)
        policy = None if published is None else published.policy
        who = await messages.customers_at(session, CHANNEL, message.sender)
        words = await _words(session, who, policy)
        carried = 0
        match reply:
            case Reply.STOP:
                carried = await _stop(session, services, message, who)
            case Reply.START:
                carried = await _start(session, services, message, who, policy)
            case Reply.HELP:
                pass
    if carried:
        services.woken.set()
    return _answer(words, reply, policy)


async def _stop(
    session: AsyncSession, services: Services, message: TextMessage, who: list[str]
) -> int:
    leaving = [_change(services, message, each, None, subscribed=False) for each in who]
    said = Said(source=SOURCE, wording=message.text)
    accepted = await accept_in(session, services, leaving, services.now(), said)
    if leaving and not accepted.new:
        return 0  # told before; they may have started again since
    suppression = Suppression(
        channel=CHANNEL,
        address=message.sender,
        reason=STOPPED,
        at=services.wall(),
        source=SOURCE,
    )
    await suppressions.add(session, suppression)
    return accepted.carried


async def _start(
    session: AsyncSession,
    services: Services,
    message: TextMessage,
    who: list[str],
    policy: Policy | None,
) -> int:
    if not await suppressions.lift(session, CHANNEL, message.sender, source=SOURCE):
        return 0  # they had not stopped: there is nothing to undo
    back: list[Call] = []
    for each in who:
        said = await consents.of_customer(session, each)
        topics = _had_before(said, policy)
        back += [_change(services, message, each, topic, subscribed=True) for topic in topics]
    accepted = await accept_in(
        session, services, back, services.now(), Said(source=SOURCE, wording=message.text)
    )
    return accepted.carried


def _had_before(said: list[Consent], policy: Policy | None) -> list[str]:
    """The topics that were theirs by text message until they said STOP."""
    stopped = [n for n, each in enumerate(said) if each.source == SOURCE and each.topic is None]
    if not stopped or policy is None:
        return []
    before = said[: stopped[-1]]
    had: list[str] = []
    for name, topic in policy.topics.items():
        state = state_of(before, CHANNEL, name)
        if state is ConsentState.SUBSCRIBED or (state is None and topic.subscribed):
            had.append(name)
    return had


def _change(
    services: Services, message: TextMessage, who: str, topic: str | None, *, subscribed: bool
) -> ChangeConsent:
    return ChangeConsent(
        customer_id=who,
        at=services.now(),
        message_id=f"{SOURCE}:{message.id}:{topic or 'all'}:{who}",
        topic=topic,
        channel=CHANNEL,
        subscribed=subscribed,
        confirmed=subscribed,  # nobody but they has their telephone, and they had it before
    )


async def _words(session: AsyncSession, who: list[str], policy: Policy | None) -> ReplyWords:
    customer = await customers.known(session, who[0]) if who else None
    return reply_words(customer, None if policy is None else policy.locale)


def _answer(words: ReplyWords, reply: Reply, policy: Policy | None) -> str | None:
    if policy is None:
        return None
    name = policy.sender.name
    match reply:
        case Reply.STOP:
            return words.stopped.format(name=name)
        case Reply.START:
            return words.started.format(name=name)
        case Reply.HELP:
            reach = policy.sender.reply_to or policy.sender.email
            return words.help.format(name=name, reach=reach)
