"""The messages that the `mailbox` provider took, for people to look at.

The provider's side of the world: nothing here may decide anything about sending. A key that
comes twice is the same mail, as with the providers that honour keys.
"""

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from store.inserting import insert_new
from store.tables import MailboxMail

# As in `store.messages`, for the same reason.
_WITHOUT_RAW = defer(col(MailboxMail.raw), raiseload=True)  # type: ignore[arg-type]

# Among a message's `headers`: the channel it came by. Those without one are mails.
CHANNEL = "channel"


def channel_of(mail: MailboxMail) -> str:
    """The channel that a message came by."""
    return mail.headers.get(CHANNEL, "email")


async def put(session: AsyncSession, mail: MailboxMail) -> bool:
    """Keep a mail; False if one with its key is there already."""
    return bool(await insert_new(session, [mail], unique="key"))


async def remove(session: AsyncSession, key: str) -> None:
    """Keep it no longer, whose customer was erased."""
    await session.execute(delete(MailboxMail).where(col(MailboxMail.key) == key))


async def get(session: AsyncSession, mail_id: int) -> MailboxMail | None:
    """One mail, with its bytes."""
    return await session.get(MailboxMail, mail_id, populate_existing=True)


async def by_key(session: AsyncSession, key: str) -> MailboxMail | None:
    """The mail that came with this idempotency key, with its bytes."""
    return await session.scalar(select(MailboxMail).where(col(MailboxMail.key) == key))


async def newest(
    session: AsyncSession,
    *,
    customer_id: str | None = None,
    recipient: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[MailboxMail]:
    """The mails, newest first, a page at a time, without their bytes."""
    statement = select(MailboxMail)
    if customer_id is not None:
        statement = statement.where(col(MailboxMail.customer_id) == customer_id)
    if recipient is not None:
        statement = statement.where(col(MailboxMail.recipient) == recipient)
    newest_first = col(MailboxMail.at).desc(), col(MailboxMail.id).desc()
    found = await session.scalars(
        statement.order_by(*newest_first).limit(limit).offset(offset).options(_WITHOUT_RAW)
    )
    return list(found)


async def count(session: AsyncSession) -> int:
    """How many mails there are."""
    return await session.scalar(select(func.count()).select_from(MailboxMail)) or 0
