"""What providers and readers did with messages: delivered, bounced, complained, opened, clicked."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.inserting import insert_new
from store.tables import DeliveryEvent


async def record(session: AsyncSession, event: DeliveryEvent) -> bool:
    """Keep an event; False if the provider told of it before."""
    return bool(await insert_new(session, [event], unique="provider_event_id"))


async def of_message(session: AsyncSession, message_key: str) -> list[DeliveryEvent]:
    """What became of a message, oldest first."""
    found = await session.scalars(
        select(DeliveryEvent)
        .where(col(DeliveryEvent.message_key) == message_key)
        .order_by(col(DeliveryEvent.at), col(DeliveryEvent.id))
    )
    return list(found)


async def messages_with(session: AsyncSession, customer_id: str, kind: str) -> frozenset[str]:
    """The keys of the customer's messages of which this is known: those clicked, say."""
    found = await session.scalars(
        select(col(DeliveryEvent.message_key)).where(
            col(DeliveryEvent.customer_id) == customer_id, col(DeliveryEvent.kind) == kind
        )
    )
    return frozenset(found)
