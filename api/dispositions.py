"""What each event of a request did, gathered as it is done, and written at the end.

One row is updated for an event that did something, none for all the others. The surprising
fact: an event may be told of twice, since one from before its sender was known is looked at
again when they are; what it did then is added.
"""

from collections.abc import Collection, Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from engine.disposition import Deed, Disposition, Flag
from engine.effects import NotEnrolled
from store import events


class Dispositions:
    """By the event's message id."""

    def __init__(self) -> None:
        self._known: dict[str, Disposition] = {}

    def did(self, message_id: str, deed: Deed) -> None:
        """It did this."""
        self._add(message_id, Disposition(did=(deed,)))

    def refused(self, message_id: str, journey: str, why: NotEnrolled) -> None:
        """It would have started the journey, but did not."""
        self._add(message_id, Disposition(refused={journey: why}))

    def flag(self, message_id: str, flag: Flag) -> None:
        """This is odd about it."""
        self._add(message_id, Disposition(flags=(flag,)))

    def failed(self, message_id: str, conditions: Iterable[str]) -> None:
        """These conditions could not be evaluated for it."""
        if texts := tuple(conditions):
            self._add(message_id, Disposition(where_failed=texts))

    async def write(self, session: AsyncSession, new: Collection[str]) -> None:
        """Write them to the events, beside what is there already; of `new` ones nothing is."""
        if not self._known:
            return
        old = self._known.keys() - new
        there = await events.dispositions(session, old) if old else {}
        told = {
            message_id: Disposition.model_validate(there.get(message_id) or {}).and_then(known)
            for message_id, known in self._known.items()
        }
        await events.set_dispositions(
            session, {message_id: each.kept() for message_id, each in told.items()}
        )

    def _add(self, message_id: str, more: Disposition) -> None:
        known = self._known.get(message_id)
        self._known[message_id] = more if known is None else known.and_then(more)
