"""A provider that is away for a minute: nobody is lost, and nothing goes out past its grace.

Time is a value: an attempt that fails comes again when Temporal would call it again.
"""

import heapq
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.activities import _pause
from activities.deliver import deliver
from activities.desk import Attempt, Trouble
from engine.orders import DeliverOrder
from engine.reasons import Decision, Reason
from store.database import Database
from store.tables import Message
from tests.activities.faults.carriers import CARRIERS, Carrier
from tests.activities.faults.http_stub import Fault, Reply
from tests.activities.faults.ledger import Told, mistakes
from tests.activities.faults.smtp_stub import SmtpFault
from tests.activities.given import NOW, Office, enroll, journey, open_office

SECOND = timedelta(seconds=1)
BEGINS, LASTS = NOW + 10 * SECOND, 60 * SECOND
ENDS = BEGINS + LASTS

# Every 6 s one message is due, over a minute and a half; each third is worth little later on.
DUE = [NOW + 6 * number * SECOND for number in range(16)]
GRACES = (timedelta(days=1), timedelta(minutes=10), -30 * SECOND)  # less the tolerance: 30 s

AWAY = {
    "resend": Fault("", is_away=True),
    "sendgrid": Fault("", Reply(503, headers={"Retry-After": "20"})),
    "postmark": Fault("", is_away=True),
    "ses": Fault("", Reply(429)),
    "smtp": SmtpFault("the greeting", "421 too busy"),
}


@dataclass(frozen=True)
class Sent:
    """One message, when it was due, and until when it was allowed to go out."""

    office: Office
    order: DeliverOrder
    reader: str

    @property
    def until(self) -> datetime:
        return Attempt(self.order, NOW).deadline


async def sending(office: Office, number: int) -> Sent:
    """One customer whose step is due at the time of this number."""
    due, reader = DUE[number], f"r{number}@reader.example"
    async with office.database.transaction() as session:
        traits = {"email": reader, "name": "Ann"}
        row = await enroll(session, office.journey, f"r{number}", traits)
    theirs = replace(office, customer_id=f"r{number}", enrollment=row.id)
    order = theirs.order(
        delivery={"at": due, "due_at": due, "until": due + GRACES[number % 3]},
        report={"enrollment_id": row.id, "customer_id": f"r{number}"},
    )
    return Sent(theirs, order, reader)


async def live_through(carrier: Carrier, away: Any, messages: list[Sent]) -> dict[str, datetime]:
    """Every attempt in its order of time; the provider is away for a while. When each was got."""
    agenda = [(each.order.delivery.at, number, 1) for number, each in enumerate(messages)]
    heapq.heapify(agenda)
    got: dict[str, datetime] = {}
    async with AsyncExitStack() as outage:
        is_away = False
        while agenda:
            now, number, count = heapq.heappop(agenda)
            if not is_away and BEGINS <= now < ENDS:
                await outage.enter_async_context(carrier.stub.failing(away))
            if is_away and now >= ENDS:
                await outage.aclose()
            is_away = BEGINS <= now < ENDS
            message = messages[number]
            attempt = Attempt(message.order, now)
            try:
                await deliver(message.office.desk, attempt)
            except Trouble as trouble:
                heapq.heappush(agenda, (now + _pause(trouble, attempt, count), number, count + 1))
            for reader in carrier.stub.readers[len(got) :]:
                got[reader] = now
    return got


async def rows_of(messages: list[Sent]) -> list[Message]:
    return [await each.office.row(each.order) for each in messages]


@pytest.mark.parametrize(
    "name",
    [
        "resend",
        "postmark",
        "smtp",
        pytest.param("sendgrid", marks=pytest.mark.long),
        pytest.param("ses", marks=pytest.mark.long),
    ],
)
async def test_an_outage_of_a_minute_loses_nobody_and_nothing_goes_out_late(
    name: str, store: Database
) -> None:
    office = await open_office(store, what=journey())
    async with CARRIERS[name]() as carrier:
        office = office.with_provider(carrier.provider)
        messages = [await sending(office, number) for number in range(len(DUE))]
        got = await live_through(carrier, AWAY[name], messages)
        readers = carrier.stub.readers
    rows = await rows_of(messages)
    told = [Told(each.reader, row.decision) for each, row in zip(messages, rows, strict=True)]
    assert mistakes(told, readers, honours_keys=True) == []
    until = {each.reader: each.until for each in messages}
    assert [reader for reader, at in got.items() if at > until[reader]] == []
    for each, row in zip(messages, rows, strict=True):
        if row.decision is not Decision.SENT:  # only what was worth nothing by then
            assert (row.decision, row.reason) == (Decision.NOT_SENT, Reason.PROVIDER_DOWN)
            assert each.order.delivery.due_at >= BEGINS
            assert each.until < ENDS + timedelta(minutes=5)
    decisions = {row.decision for row in rows}
    assert decisions == {Decision.SENT, Decision.NOT_SENT}
    assert sum(BEGINS <= each.order.delivery.due_at < ENDS for each in messages) == 10
    waited = [each for each in messages if each.until >= ENDS + timedelta(minutes=5)]
    assert all(each.reader in got for each in waited)
