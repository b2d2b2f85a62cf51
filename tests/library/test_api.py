"""The first scenario of every journey, told to the real HTTP API: the messages are in the mailbox.

Temporal alone is played, by `hosting`. Of what no app can send, the API makes the same: a
consent by the page for it, a new customer by their first call.
"""

import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from api.app import create_app
from api.dispatcher import Dispatcher
from api.scopes import ALL_SCOPES
from api.services import Services
from api.ticking import Ticker
from authoring.folder import LoadedJourney
from authoring.scenario_lines import ExpectedDecision
from authoring.scenarios import Scenario
from engine.calls import Call, ChangeConsent, FollowLink, Identify, Played, Track, UseCoupon
from engine.events import BuiltInEvent
from engine.reasons import Decision
from store import journeys, mailbox, messages
from store.database import Database
from store.tables import Computed, MailboxMail
from tests.api.given import A_DAY, Wall, load_settings, make_key
from tests.library.hosting import Host
from tests.library.loaded import LIBRARY
from worker.desk import build_desk
from worker.made_up_shop import MadeUpShop
from worker.reacting import react

FIRST = [
    pytest.param(journey, journey.scenarios[0], id=name)
    for name, journey in LIBRARY.journeys.items()
]


class Town:
    """The API and what stands behind it, with a clock by hand."""

    def __init__(self, database: Database, key: str, wall: Wall) -> None:
        settings = load_settings(
            database.url.render_as_string(hide_password=False), webhook_provider="mailbox"
        )
        self.wall = wall
        self.host = Host(desk=replace(build_desk(settings, database, wall), shop=MadeUpShop()))
        self.services = Services(database=database, settings=settings, wall=wall)
        self.dispatcher = Dispatcher(self.services, self.host.client())
        self.ticker = Ticker(self.services)
        self._key = key

    async def live(self, calls: Sequence[Played], until: datetime) -> None:
        """Send the calls at their times, and let everything pass that is due before and after."""
        transport = httpx.ASGITransport(app=create_app(self.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://parcours.test") as app:
            app.headers["Authorization"] = f"Bearer {self._key}"
            for call in calls:
                await self._pass(call.at, inclusive=False)
                self.wall.at = call.at
                if isinstance(call, FollowLink | UseCoupon):
                    await react(self.services, call)
                elif (request := _request(call)) is not None:
                    answer = await app.post(request[0], json=request[1])
                    assert answer.status_code == 200, answer.text
                await self._carry()
        await self._pass(until, inclusive=True)

    async def _pass(self, end: datetime, *, inclusive: bool) -> None:
        while True:
            times = (await self._changes_at(), self.host.next_at(self.wall.at))
            due = min((at for at in times if at is not None), default=None)
            if due is None or due > end or (due == end and not inclusive):
                return
            self.wall.at = max(due, self.wall.at)
            await self.ticker.tick()
            await self._carry()
            await self.host.run(self.wall.at)
            await self._carry()

    async def _changes_at(self) -> datetime | None:
        """When time alone changes something next, of anybody."""
        async with self.services.database.reading() as session:
            changes_at: datetime | None = await session.scalar(
                select(func.min(Computed.changes_at))
            )
        return changes_at

    async def _carry(self) -> None:
        while await self.dispatcher.drain():
            pass


def _request(call: Call) -> tuple[str, dict[str, Any]] | None:
    """Where the app posts this, and what; None for what follows from another call."""
    common = {"userId": call.customer_id, "timestamp": call.at.isoformat()}
    match call:
        case Identify():
            return "/v1/identify", {**common, "traits": call.traits}
        case Track(event=BuiltInEvent.CONSENT_REQUESTED):
            return _consent(call.customer_id, topic=call.properties["topic"])
        case Track(event=BuiltInEvent.CONSENT_GIVEN):
            return _consent(call.customer_id, topic=call.properties["topic"], confirmed=True)
        case Track() if call.event in set(BuiltInEvent):
            return None
        case Track():
            return "/v1/track", {**common, "event": call.event, "properties": call.properties}
        case ChangeConsent():
            given = {"subscribed": call.subscribed, "confirmed": call.confirmed}
            return _consent(call.customer_id, topic=call.topic, **given)
    raise AssertionError(f"no scenario here has a {type(call).__name__}")


def _consent(customer_id: str, **given: Any) -> tuple[str, dict[str, Any]]:
    return f"/v1/customers/{customer_id}/consents", {"subscribed": True, **given}


@pytest.fixture
async def database(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A store with the newest schema, and nothing in it."""
    file = shutil.copy(migrated_file, tmp_path / "library.db")
    database = Database(f"sqlite+aiosqlite:///{file}")
    yield database
    await database.dispose()


@pytest.mark.parametrize(("journey", "scenario"), FIRST)
async def test_its_events_over_http_bring_its_messages_into_the_mailbox(
    journey: LoadedJourney, scenario: Scenario, database: Database
) -> None:
    await _publish(database, journey)
    wall = Wall(A_DAY)
    town = Town(database, await make_key(database, *ALL_SCOPES), wall)
    await town.live(scenario.calls, scenario.until)
    captured = await _captured(database, scenario.customer_id)
    assert [(mail.at, step) for mail, step in captured] == _expected(journey, scenario)
    assert all(mail.recipient and mail.subject and b"{{" not in mail.raw for mail, _ in captured)


def _expected(journey: LoadedJourney, scenario: Scenario) -> list[tuple[datetime, str]]:
    """What the scenario says goes out: messages and calls, not what is set in the store."""
    goes_out = {step.id for step in journey.journey.steps if step.messages or step.call}
    said = [each for each in scenario.expected if isinstance(each, ExpectedDecision)]
    sent = [(each.at, each.step) for each in said if each.decision is Decision.SENT]
    return [(at, step) for at, step in sent if step in goes_out]


async def _captured(database: Database, customer_id: str) -> list[tuple[MailboxMail, str]]:
    """What the mailbox took, with the step that it is of, in the order in which it came."""
    async with database.reading() as session:
        rows = await messages.of_customer(session, customer_id)
        sent = {row.key: row.step for row in rows if row.decision is Decision.SENT}
        mails = [await mailbox.by_key(session, key) for key in sent]
    found = [mail for mail in mails if mail is not None]
    found.sort(key=lambda mail: mail.id or 0)
    return [(mail, sent[mail.key]) for mail in found]


async def _publish(database: Database, loaded: LoadedJourney) -> None:
    folders = {name: each.to_dict() for name, each in loaded.messages.items()}
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[loaded.journey],
            policy=LIBRARY.policy,
            messages={loaded.journey.journey: folders},
            at=A_DAY,
            by="test",
        )


def test_the_first_scenario_of_every_journey_sends_something() -> None:
    told = {name: _expected(each, each.scenarios[0]) for name, each in LIBRARY.journeys.items()}
    assert [name for name, expected in told.items() if not expected] == []
