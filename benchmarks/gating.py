"""What the gate costs: sends per second of `deliver` with all of it, against the same without.

The same step, texts, claims and mailbox. With the gate every customer has said something,
has had messages before, and the policy has caps, quiet hours, holidays and tracking; without
it nothing is read for a decision and the answer is always yes. Statements are counted and
listed, each with how often a send needs it.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import perf_counter
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from activities.case import Case
from activities.deliver import deliver
from activities.desk import Attempt, Desk
from activities.providers.mailbox import MailboxProvider
from benchmarks.contenders import new_ids
from benchmarks.ratios import ratio_of
from benchmarks.servers import postgres_server
from benchmarks.trial import ZONE, Trial, folder, real_trial, traits
from engine import gate
from engine.enrollment import Delivery, Settled
from engine.gate import Go
from engine.keys import message_key
from engine.orders import DeliverOrder, Report
from engine.policy import Policy
from engine.reasons import Decision
from rendering.links import Links
from store import journeys
from store.database import Database
from store.inserting import insert_new
from store.tables import Consent, ConsentState, Customer, Enrollment, Message

_ROUNDS = 5
_SENDS = 150  # of one contender in one round; a second or so
_STEP = "tip"
_BEFORE = 3  # messages that each customer has had


async def run() -> None:
    """Both stores, one after the other, each with and without in turns."""
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-"))
        urls = {
            "SQLite": f"sqlite+aiosqlite:///{home}/parcours.db",
            "PostgreSQL": stack.enter_context(postgres_server()),
        }
        for name, url in urls.items():
            database = Database(url)
            try:
                await _compare(name, database)
            finally:
                await database.dispose()


async def _compare(name: str, database: Database) -> None:
    database.upgrade()
    trial = real_trial()
    # At noon on a working day, for the whole gate must let every one of them through.
    now = datetime(2026, 11, 24, 11, tzinfo=UTC)
    ids = list(islice(new_ids(name), (2 * _ROUNDS + 2) * _SENDS))
    await _stock(database, trial, ids, now)
    desk = Desk(
        database,
        {"email": MailboxProvider(database, lambda: now)},
        Links("http://127.0.0.1:8080", ["a key of thirty-two characters ."]),
    )
    left = iter(ids)
    with _counted(database) as statements:
        await _sends(desk, trial, islice(left, _SENDS), now)
    with _counted(database) as bare, _without_gate():
        await _sends(desk, trial, islice(left, _SENDS), now)
    rates: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(_ROUNDS):
        rates["with"].append(await _sends(desk, trial, islice(left, _SENDS), now))
        with _without_gate():
            rates["without"].append(await _sends(desk, trial, islice(left, _SENDS), now))
    title = f"sends per second with {name}, with the gate / without"
    print(ratio_of(title, rates["with"], rates["without"], at_least=0.8))
    for kind, per_second in rates.items():
        print(f"  {kind:<8} {max(per_second):6.0f} a second at best")
    _list(statements, bare)


def _list(statements: Counter[str], bare: Counter[str]) -> None:
    def each(counted: Counter[str]) -> float:
        return sum(counted.values()) / _SENDS

    print(f"  {each(statements):.1f} statements a send, without the gate {each(bare):.1f}:")
    for text, count in statements.most_common():
        print(f"    {count / _SENDS:5.2f}  {bare[text] / _SENDS:5.2f}  {text}")


async def _sends(desk: Desk, trial: Trial, ids: Iterator[str], now: datetime) -> float:
    """Deliver to each of them, one after the other; how many a second."""
    orders = [_order(trial, each, now) for each in ids]
    began = perf_counter()
    for order in orders:
        outcome = await deliver(desk, Attempt(order, now))
        assert isinstance(outcome, Settled), outcome
        assert outcome.decision is Decision.SENT, outcome
    return len(orders) / (perf_counter() - began)


def _order(trial: Trial, enrollment: str, now: datetime) -> DeliverOrder:
    delivery = Delivery(
        step=_STEP,
        occurrence="start",
        at=now,
        due_at=now,
        until=now + timedelta(days=1),
        zone=ZONE,
    )
    return DeliverOrder(
        journey=trial.journey.journey,
        version=trial.journey.version,
        delivery=delivery,
        report=Report(enrollment_id=enrollment, customer_id=enrollment),
    )


@contextmanager
def _without_gate() -> Iterator[None]:
    """`deliver` as it would be if every message went out: no facts, no questions."""

    async def nothing(session: object, occasion: object, rows: Any, *more: object) -> gate.Customer:
        return gate.Customer(
            id=rows.customer.id,
            traits=rows.traits,
            last_activity_at=None,
            events=(),
            messages=(),
            said=lambda channel, topic: None,
            suppressed=lambda channel, address: False,
        )

    def always(desk: Desk, case: Case) -> Go:
        address = str(case.traits["email"])
        return Go(message=_STEP, channel="email", address=address, topic=case.topic)

    with ExitStack() as stack:
        stack.enter_context(patch("activities.case.customer_facts", nothing))
        stack.enter_context(patch("activities.deliver.may_go", always))
        yield


@contextmanager
def _counted(database: Database) -> Iterator[Counter[str]]:
    """Every statement that is sent meanwhile, by what it begins with."""
    counted: Counter[str] = Counter()

    def count(_: object, __: object, statement: str, *more: object) -> None:
        counted[" ".join(statement.split())[:90]] += 1

    # PostgreSQL's reader is the writer with an option, and hears what the writer hears.
    engines = {database._writer.sync_engine}
    if database.is_sqlite:
        engines.add(database._reader.sync_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", count)


def _policy() -> Policy:
    """The journeys folder's, with everything that the gate can be asked."""
    asked = {
        "caps": [
            {"max": 20, "per": "7 days"},
            {"max": 10, "per": "calendar day", "channel": "email"},
            {"max": 50, "per": "1 month", "topic": "onboarding"},
        ],
        "quiet_hours": {"email": {"hours": "21:00-08:00", "days": "sun", "holidays": True}},
    }
    known = folder().policy.model_dump(mode="json", exclude_defaults=True)
    return Policy.model_validate({**known, **asked})


async def _stock(database: Database, trial: Trial, ids: list[str], now: datetime) -> None:
    """Publish, and give every customer an open enrollment, a word they said, and a past."""
    loaded = folder()
    sources = loaded.journeys[trial.journey.journey].messages
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[trial.journey],
            policy=_policy(),
            messages={trial.journey.journey: {n: s.to_dict() for n, s in sources.items()}},
            at=now,
            by="benchmark",
        )
        await insert_new(session, [_customer(each, now) for each in ids], unique="id")
        await insert_new(session, [_enrollment(trial, each, now) for each in ids], unique="id")
        past = [_past(trial, each, number, now) for each in ids for number in range(_BEFORE)]
        await insert_new(session, past, unique="key")
        session.add_all(_word(each, now) for each in ids)


def _customer(customer_id: str, now: datetime) -> Customer:
    return Customer(
        id=customer_id,
        pseudonym=customer_id,
        traits={**traits(now + timedelta(days=30)), "country": "FR"},
        created_at=now,
        updated_at=now,
    )


def _enrollment(trial: Trial, customer_id: str, now: datetime) -> Enrollment:
    return Enrollment(
        id=customer_id,
        customer_id=customer_id,
        journey=trial.journey.journey,
        version=trial.journey.version,
        start_event_id=f"start-{customer_id}",
        start_at=now - timedelta(days=2),
        entered_at=now - timedelta(days=2),
    )


def _past(trial: Trial, customer_id: str, number: int, now: datetime) -> Message:
    return Message(
        key=message_key(customer_id, f"past-{number}", "start"),
        enrollment_id=customer_id,
        customer_id=customer_id,
        journey=trial.journey.journey,
        step=f"past-{number}",
        occurrence="start",
        decision=Decision.SENT,
        channel="email",
        topic="onboarding",
        decided_at=now - timedelta(days=number + 1),
    )


def _word(customer_id: str, now: datetime) -> Consent:
    return Consent(
        customer_id=customer_id,
        topic="onboarding",
        state=ConsentState.SUBSCRIBED,
        source="benchmark",
        at=now - timedelta(days=9),
    )
