"""What customers said about being written to; append-only.

Decides which of the things said holds for a channel and a topic, and knows nothing of
defaults: a customer who never spoke has no answer here, and the policy gives it.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.tables import Consent, ConsentState


async def append(session: AsyncSession, consent: Consent) -> Consent:
    """Write down what a (locked) customer said."""
    session.add(consent)
    await session.flush()
    return consent


async def of_customer(session: AsyncSession, customer_id: str) -> list[Consent]:
    """Everything the customer said, oldest first."""
    found = await session.scalars(
        select(Consent)
        .where(col(Consent.customer_id) == customer_id)
        .order_by(col(Consent.at), col(Consent.id))
    )
    return list(found)


async def consent_state(
    session: AsyncSession, customer_id: str, channel: str, topic: str
) -> ConsentState | None:
    """What holds for this channel and topic; None if the customer never spoke of it."""
    return state_of(await of_customer(session, customer_id), channel, topic)


def state_of(said: Sequence[Consent], channel: str, topic: str) -> ConsentState | None:
    """What holds, given everything said, oldest first.

    The newest that speaks of this channel and topic, or of all: leaving everything covers
    each topic, until the customer subscribes to one again.
    """
    for consent in reversed(said):
        if consent.channel in (None, channel) and consent.topic in (None, topic):
            return consent.state
    return None
