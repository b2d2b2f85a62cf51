"""Several at once: two workers with one order, and customers who act while a mail is worded.

What happens between the wording and the claim is played by a link: one is made while a
message is worded, so whoever makes it can do something else as well.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from activities.deliver import deliver
from activities.desk import Attempt, Trouble
from engine.enrollment import NotBefore, Over, Settled
from engine.reasons import Decision, Reason
from rendering.links import Link, Links, Unsubscribe
from store import customers, enrollments
from store.database import Database
from store.tables import EnrollmentState
from tests.activities.given import NOW, FakeProvider, Office, open_office

SENT = Settled(decision=Decision.SENT, channel="email", message="tip")


async def deliver_while(office: Office, happens: Callable[[], Awaitable[None]]) -> Any:
    """Deliver, and let something happen after the first wording, before the claim."""
    worded: list[str] = []

    class Interrupted(Database):
        """The same store, in whose first transaction something else comes before."""

        def transaction(self, *, durable: bool = True) -> Any:
            return self._after() if len(worded) == 1 else super().transaction(durable=durable)

        def _after(self) -> Any:
            inner = super().transaction

            @asynccontextmanager
            async def opened() -> Any:
                worded.append("interrupted")
                await happens()
                async with inner() as session:
                    yield session

            return opened()

    class Telling(Links):
        """Tells that a message is being worded."""

        def url(self, link: Link) -> str:
            if isinstance(link, Unsubscribe):
                worded.append("worded")
            return super().url(link)

    database = Interrupted(office.database.url.render_as_string(hide_password=False))
    telling = Telling("https://acme.example", ["x" * 32])
    desk = replace(office.desk, database=database, links=telling)
    try:
        return await deliver(desk, Attempt(office.order(), NOW))
    finally:
        await database.dispose()


async def test_an_exit_accepted_while_a_message_is_worded_wins(db: Database) -> None:
    office = await open_office(db)
    assert isinstance(await deliver_while(office, office.exit), Over)
    assert office.provider.given == []
    assert await office.message() is None


async def test_who_unsubscribes_while_a_message_is_worded_gets_nothing(db: Database) -> None:
    office = await open_office(db)
    answer = await deliver_while(office, office.unsubscribe)
    assert answer == Settled(decision=Decision.NOT_SENT, reason=Reason.UNSUBSCRIBED)
    assert office.provider.given == []


async def test_a_pause_while_a_message_is_worded_holds_it(db: Database) -> None:
    office = await open_office(db)
    answer = await deliver_while(office, lambda: office.change(paused_at=NOW))
    assert isinstance(answer, NotBefore)
    assert office.provider.given == []


async def test_a_name_changed_while_a_message_is_worded_is_the_one_in_it(db: Database) -> None:
    office = await open_office(db)
    assert await deliver_while(office, lambda: office.traits(name="Anna")) == SENT
    (mail,) = office.provider.given
    assert mail.subject == "A tip for Anna"


async def test_a_text_published_while_another_is_worded_is_the_one_sent(db: Database) -> None:
    office = await open_office(db)
    newer = {"tip": {"subject.txt": "Newer", "email.html": "<p>Hello</p>"}}
    assert await deliver_while(office, lambda: office.publish(newer)) == SENT
    assert office.provider.given[0].subject == "Newer"


async def test_a_hundred_attempts_at_one_order_send_one_message(db: Database) -> None:
    seen: set[str] = set()

    class Honouring(FakeProvider):
        """Honours keys, as Resend does."""

        async def send(self, mail: Any) -> Any:
            seen.add(mail.key)
            return await super().send(mail)

    office = await open_office(db, Honouring())
    answers = await asyncio.gather(*(one(office) for _ in range(100)))
    assert {answer for answer in answers if answer is not None} == {SENT}
    assert seen == {"trial:c1/tip/start"}
    assert len({mail.raw for mail in office.provider.given}) == 1
    assert (await office.row()).decision is Decision.SENT


async def test_a_hundred_attempts_never_send_twice_without_keys(db: Database) -> None:
    office = await open_office(db, FakeProvider(remembers_keys_for=None))
    await asyncio.gather(*(one(office) for _ in range(100)))
    assert len(office.provider.given) == 1
    assert (await office.row()).decision is Decision.SENT


async def one(office: Office) -> Any:
    try:
        return await office.deliver()
    except Trouble:
        return None  # another one was under way


async def test_an_exit_that_is_being_accepted_is_waited_for_and_wins(db: Database) -> None:
    """The lock comes first and the reading after it, or PostgreSQL reads what was before."""
    office = await open_office(db)
    async with db.transaction() as session:
        await customers.lock(session, "c1", NOW)
        row = await enrollments.get(session, office.enrollment)
        assert row is not None
        delivery = asyncio.create_task(office.deliver())
        await until_someone_waits(db)
        row.state, row.ended_at = EnrollmentState.EXITED, NOW
    assert isinstance(await delivery, Over)
    assert office.provider.given == []


async def until_someone_waits(db: Database) -> None:
    """Until a transaction waits for another one's lock; on SQLite they wait for their turn."""
    waiting = db.is_sqlite
    while not waiting:
        async with db.reading() as session:
            found = await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        waiting = bool(found)
