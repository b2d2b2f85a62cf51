"""What providers and readers did with messages: delivered, bounced, complained, opened, clicked."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.inserting import insert_new
from store.tables import DeliveryEvent, Message


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


async def of_address(
    session: AsyncSession, channel: str, address: str, kinds: Collection[str]
) -> list[tuple[str, datetime]]:
    """What of these kinds was told of messages to an address, with the provider's time."""
    found = await session.execute(
        select(col(DeliveryEvent.kind), col(DeliveryEvent.at))
        .join(Message, col(Message.key) == col(DeliveryEvent.message_key))
        .where(
            col(DeliveryEvent.kind).in_(kinds),
            col(Message.channel) == channel,
            col(Message.address) == address,
        )
    )
    return [(kind, at) for kind, at in found]
