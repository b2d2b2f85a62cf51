"""Mail that stays here: captured in the store and shown in the browser, for trying things out."""

from collections.abc import Callable
from datetime import datetime, timedelta

from activities.providers.outcome import Accepted, Mail, Refused
from store import mailbox
from store.database import Database
from store.tables import MailboxMail


class MailboxProvider:
    """Keeps each mail once. `now` is journey time, which is when its reader gets it."""

    name = "mailbox"
    remembers_keys_for: timedelta | None = timedelta(days=36_500)  # for as long as the store

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def send(self, mail: Mail) -> Accepted | Refused:
        """Keep the mail; one that came before with this key is the same mail."""
        captured = MailboxMail(
            key=mail.key,
            at=self._now(),
            sender=mail.sender,
            recipient=mail.recipient,
            subject=mail.subject,
            raw=mail.raw,
            customer_id=mail.customer_id,
        )
        async with self._database.transaction() as session:
            await mailbox.put(session, captured)
        return Accepted(provider_message_id=mail.key)
