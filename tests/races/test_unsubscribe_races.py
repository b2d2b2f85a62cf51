"""An unsubscribe holds from the moment its response is sent: no message is claimed after that.

One click through the real API against `deliver` over the same store, at the same moment. What
came first is told by the order in which the two were done: a claim when its transaction had
committed, an unsubscribe when its answer was there. The one surprising fact: left
to chance, one of them nearly always wins; so of four deliveries one has read everything and
then waits with its transaction until the answer is there, the worst moment there is; one begins
its transaction just as the unsubscribe begins; and one has claimed, and not committed, as the
unsubscribe begins.
"""

import asyncio
import random
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from activities import deliver as delivering
from activities.case import Case
from activities.deliver import deliver
from activities.desk import Attempt, Desk
from api.app import create_app
from api.services import Services
from engine.reasons import Reason
from rendering.links import Links, Unsubscribe
from store import customers, messages
from store.database import Database
from store.tables import Message
from tests.activities.given import NOW, FakeProvider, Office, enroll, journey, policy, publish
from tests.api.given import SECRET, Wall, load_settings

LINKS = Links("http://parcours.test", [SECRET])
ONE_CLICK = "List-Unsubscribe=One-Click"

# As many at once as a busy worker has under way.
_AT_ONCE = 20
# Turns of the event loop that a delivery takes here, from its first read to its claim, or so.
_TURNS = 60

_whose: ContextVar[str | None] = ContextVar("whose", default=None)

_CLAIMED, _ANSWERED = "claimed", "answered"


@dataclass
class Course:
    """What was done, in order: (`claimed` or `answered`, whose)."""

    done: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    has_read: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    claiming: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    in_claim: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def answered(self, who: str) -> None:
        self.done.append((_ANSWERED, who))
        self.answers[who].set()

    def claimed_after_the_answer(self) -> list[str]:
        place = {each: n for n, each in enumerate(self.done)}
        return [
            who
            for what, who in self.done
            if what == _CLAIMED and place[_CLAIMED, who] > place.get((_ANSWERED, who), len(place))
        ]

    def sent(self) -> int:
        return sum(what == _CLAIMED for what, _ in self.done)


class Watched(Database):
    """Has a delivery begin its transaction at some moment, and tells of a claim once it is in."""

    def __init__(self, url: str, course: Course) -> None:
        super().__init__(url)
        self._course = course

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[AsyncSession]:
        who = _whose.get()
        assert who is not None
        await self._moment(who)
        claims: list[str] = []
        async with super().transaction(durable=durable) as session:
            session.info["claims"] = claims
            session.info["in_claim"] = self._course.in_claim[who]
            self._course.claiming[who].set()
            yield session
        self._course.done += [(_CLAIMED, each) for each in claims]

    async def _moment(self, who: str) -> None:
        """When the customer has been told that they are out, some turns later, or at once."""
        match _kind(who):
            case 0:
                self._course.has_read[who].set()
                await self._course.answers[who].wait()
            case 1:
                await _turns()


def _kind(who: str) -> int:
    return zlib.crc32(who.encode()) % 4


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claim is noted in its session."""
    claim = messages.claim

    async def noted(session: AsyncSession, row: Message) -> bool:
        claimed = await claim(session, row)
        if row.claimed_at is not None:  # else it is the row of one that is not sent
            session.info["claims"].append(row.customer_id)
            session.info["in_claim"].set()
        return claimed

    monkeypatch.setattr(messages, "claim", noted)


async def race(db: Database, races: int) -> Course:
    """Race that many customers, each unsubscribing as their message is delivered."""
    what = journey()
    await publish(db, what, policy())
    names = [f"c{n}" for n in range(races)]
    async with db.transaction() as session:
        for name in names:
            await enroll(session, what, name)
    course = Course()
    url = db.url.render_as_string(hide_password=False)
    database = Watched(url, course)
    services = Services(database=db, settings=load_settings(url), wall=Wall(NOW))
    transport = httpx.ASGITransport(app=create_app(services))
    desk = Desk(database=database, providers={"email": FakeProvider()}, links=LINKS)
    try:
        async with httpx.AsyncClient(transport=transport) as client:
            for first in range(0, races, _AT_ONCE):
                batch = names[first : first + _AT_ONCE]
                await asyncio.gather(
                    *(_send(desk, db, each) for each in batch),
                    *(_leave(client, course, each) for each in batch),
                )
    finally:
        await database.dispose()
    return course


async def _send(desk: Desk, db: Database, who: str) -> None:
    _whose.set(who)
    office = Office(db, FakeProvider(), journey(), who, f"trial:{who}")
    order = office.order(report={"enrollment_id": office.enrollment, "customer_id": who})
    answer = await deliver(desk, Attempt(order, NOW))
    assert getattr(answer, "reason", None) in (None, Reason.UNSUBSCRIBED)


async def _leave(client: httpx.AsyncClient, course: Course, who: str) -> None:
    match _kind(who):
        case 0:
            await course.has_read[who].wait()
        case 2:
            await course.claiming[who].wait()
        case 3:
            await course.in_claim[who].wait()
        case _:
            await _turns()
    answer = await client.post(LINKS.url(Unsubscribe(who, "onboarding")), content=ONE_CLICK)
    assert answer.status_code == 200
    course.answered(who)


async def _turns() -> None:
    for _ in range(random.randrange(_TURNS)):
        await asyncio.sleep(0)  # a turn of the loop, not a time


@pytest.mark.parametrize("races", [20, pytest.param(1_000, marks=pytest.mark.wide)])
@pytest.mark.usefixtures("told")
async def test_nothing_is_claimed_after_an_unsubscribe_was_answered(
    db: Database, races: int
) -> None:
    course = await race(db, races)
    assert course.claimed_after_the_answer() == []
    assert len(course.done) == races + course.sent()
    # Both outcomes happened, else nothing was raced.
    assert 1 <= course.sent() <= races - 1, f"{course.sent()} of {races} were claimed"


@pytest.mark.usefixtures("told")
async def test_a_deliver_that_does_not_ask_again_is_caught(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-bad control: it locks the customer, and believes what it read before."""

    async def as_before(session: AsyncSession, desk: Desk, attempt: Attempt, case: Case) -> Case:
        await customers.hold(session, case.customer.id)
        return case

    monkeypatch.setattr(delivering, "_read_again", as_before)
    course = await race(db, 20)
    # Each of those that had read before their customer was told, whatever else chance adds.
    had_read = {who for who in course.has_read if _kind(who) == 0}
    assert len(had_read) >= 3
    assert had_read <= set(course.claimed_after_the_answer())
