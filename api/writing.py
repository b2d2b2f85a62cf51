"""What a request adds to the store, kept until its end and written together.

A batch that enrolls a hundred customers is three statements so, and not three hundred. The
one surprising fact: an enrollment that begins and ends in the same request must be written
before it can be closed; whoever closes one asks for that first.
"""

from api.meanwhile import InTurn
from store import events, opened, outbox
from store.events import NewEvent
from store.opened import Opened
from store.outbox import NewRow


class Writing:
    """Rows to come, of one transaction."""

    def __init__(self, turn: InTurn) -> None:
        self._turn = turn
        self._events: list[NewEvent] = []
        self._enrollments: list[Opened] = []
        self._outbox: list[NewRow] = []

    def add_event(self, row: NewEvent) -> None:
        """An event of our own; nothing in this request asks the store for it."""
        self._events.append(row)

    def add_enrollment(self, row: Opened) -> None:
        """An enrollment that begins."""
        self._enrollments.append(row)

    def add_outbox(self, row: NewRow) -> None:
        """Something Temporal must hear, after what was added before it."""
        self._outbox.append(row)

    async def write_enrollment(self, enrollment: str) -> None:
        """Have the enrollment's row there, to be changed."""
        if any(row["id"] == enrollment for row in self._enrollments):
            await self.write_enrollments()

    async def write_enrollments(self) -> None:
        """Have the rows of all enrollments there."""
        rows, self._enrollments = self._enrollments, []
        written = await opened.insert_all(await self._turn.session(), rows)
        # Their customers are locked, and none of these was theirs.
        assert len(written) == len(rows), "an enrollment exists that its customer does not have"

    async def write(self) -> None:
        """Write all that is left."""
        session = await self._turn.session()
        await events.accept(session, self._events)
        await self.write_enrollments()
        await outbox.append_all(session, self._outbox)
        self._events, self._outbox = [], []
