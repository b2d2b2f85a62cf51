"""Somebody who was erased is named again.

Decides what that means: history of theirs is refused, for an import must not bring back what
they had erased. A live call makes them a customer like any other, but unsubscribed from all
marketing until they say otherwise; also a customer under another id who now has an address
of theirs. The one surprising fact: an anonymous visitor is nobody's, so their device alone
unsubscribes no one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from api.carrying import Carrier
from api.people import Person
from api.reach import Locked
from engine.calls import Call, Identify
from engine.keys import is_anonymous
from engine.reached import address_of
from store import consents, erasures
from store.tables import Consent, ConsentState

# Where such a consent row says it comes from.
SOURCE = "erasure"


class NamesErasedError(Exception):
    """These calls are history of somebody who was erased."""

    def __init__(self, message_ids: Collection[str]) -> None:
        super().__init__("history of somebody who was erased")
        self.message_ids = frozenset(message_ids)


@dataclass(frozen=True)
class _Named:
    """The texts by which a call names somebody."""

    ids: frozenset[str]
    emails: frozenset[str]
    phones: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.ids | self.emails | self.phones


async def recognise(
    session: AsyncSession, calls: Iterable[Call], locked: Locked
) -> Mapping[str, int]:
    """The erased whom the calls name, each text with the highest ordinal to count on from.

    Asks only about customers who are new and addresses that are. Raises NamesErasedError.
    """
    named = [(call, _named(call, locked)) for call in calls if call.customer_id in locked.rows]
    texts = [each for _, each in named]
    found = await erasures.recognised(
        session,
        _union(each.ids for each in texts),
        _union(each.emails for each in texts),
        _union(each.phones for each in texts),
    )
    history = [call.message_id for call, each in named if call.historical and each.all & set(found)]
    if history:
        raise NamesErasedError(history)
    return found


async def come_back(
    carrier: Carrier, fresh: Mapping[str, Sequence[Call]], erased: Mapping[str, int]
) -> None:
    """Unsubscribe those who are named so; their enrollments get numbers of their own."""
    if not erased:
        return
    for customer_id, calls in sorted(fresh.items()):
        texts = _union(_texts(call).all for call in calls) & set(erased)
        if texts:
            person = carrier.people[customer_id]
            highest = max(erased[each] for each in texts)
            person.row.ordinals_after = max(person.row.ordinals_after, highest)
            await _unsubscribe(carrier, person)


async def _unsubscribe(carrier: Carrier, person: Person) -> None:
    """Once: who has subscribed since stays so."""
    said = await consents.of_customer(await carrier.turn.session(), person.row.id)
    if person.is_anonymous or any(each.source == SOURCE for each in said):
        return
    await consents.append(
        await carrier.turn.session(),
        Consent(
            customer_id=person.row.id,
            state=ConsentState.UNSUBSCRIBED,
            source=SOURCE,
            at=carrier.received_at,
        ),
    )


def _named(call: Call, locked: Locked) -> _Named:
    """What of a call is worth asking about."""
    texts, owner = _texts(call), locked.owner(call.customer_id)
    if call.historical:
        return texts
    return _Named(
        ids=frozenset(
            each
            for each in texts.ids
            if not is_anonymous(each) and locked.owner(each).first_seen_at is None
        ),
        emails=texts.emails - {address_of(owner.traits, "email")},
        phones=texts.phones - {address_of(owner.traits, "sms")},
    )


def _texts(call: Call) -> _Named:
    traits = call.traits if isinstance(call, Identify) else {}
    return _Named(
        # A device named beside somebody is theirs as well, whoever else used it.
        ids=frozenset({call.customer_id, *(n for n in call.formerly if not is_anonymous(n))}),
        emails=frozenset(filter(None, [address_of(traits, "email")])),
        phones=frozenset(filter(None, [address_of(traits, "sms")])),
    )


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
