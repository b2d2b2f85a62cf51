"""(c) Enrollments finished per second with the real `deliver` to the mailbox, against the lean one.

Everything is real but the customers' reading: gate, templates, claim, mailbox, on SQLite
and on PostgreSQL. The rows that ingestion makes (customer, enrollment) are there before.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import func, select
from temporalio.client import Client

from activities.activities import Activities
from activities.desk import Desk
from activities.providers.mailbox import MailboxProvider
from benchmarks.connecting import connected
from benchmarks.contenders import lean, new_ids, ours
from benchmarks.load import GAP_S, STEPS, Contender, Round, in_turns
from benchmarks.ratios import Ratio, ratio_of
from benchmarks.servers import postgres_server, temporal_server
from benchmarks.trial import Trial, fast_trial, folder, traits
from engine.clock import journey_time
from rendering.links import Links, Unsubscribe
from store import journeys
from store.database import Database
from store.inserting import insert_new
from store.tables import Customer, Enrollment, MailboxMail

_ROUNDS = 2
_WINDOW_S = 6.0

# More than both rounds can start on a fast machine.
_CUSTOMERS = 2_000


async def run() -> None:
    """The lean workflow, and ours with each of the two stores, in turns on one server."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(temporal_server())
        client = await connected(server)
        trial = fast_trial(GAP_S)
        contenders: list[Contender] = [await stack.enter_async_context(lean(client))]
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="parcours-bench-"))
        stores = {
            "SQLite": Database(f"sqlite+aiosqlite:///{home}/parcours.db"),
            "PostgreSQL": Database(stack.enter_context(postgres_server())),
        }
        for name, database in stores.items():
            opened = _delivering(client, trial, name, database)
            contenders.append(await stack.enter_async_context(opened))
        rounds = await in_turns(contenders, server, _ROUNDS, _WINDOW_S)
        for each in contenders[1:]:
            await _check_mails(each, stores[each.name])
    theirs = rounds["lean"]
    for name in stores:
        mine = rounds[name]
        print(_ratio(f"finished per second with {name}, ours / lean", mine, theirs))
        print(Ratio(f"the same with {name}, by CPU", [_share_of_server(each) for each in mine]))


def _ratio(name: str, mine: list[Round], theirs: list[Round]) -> Ratio:
    rates = [[each.per_second for each in rounds] for rounds in (mine, theirs)]
    return ratio_of(name, rates[0], rates[1], at_least=0.6)


def _share_of_server(of: Round) -> float:
    """How much of the server the worker keeps busy, had each a core of its own.

    The lean one keeps it busy altogether, and the server's work is the same. Both numbers
    come from one round, so that what else the machine was doing falls out.
    """
    return of.server_ms / max(of.server_ms, of.worker_ms)


@asynccontextmanager
async def _delivering(
    client: Client, trial: Trial, name: str, database: Database
) -> AsyncIterator[Contender]:
    database.upgrade()
    ids = list(islice(new_ids(name), _CUSTOMERS))
    try:
        await _stock(database, trial, ids)
        mailbox = MailboxProvider(database, lambda: journey_time(trial.clock, datetime.now(UTC)))
        links = Links("http://127.0.0.1:8080", ["a key of thirty-two characters ."])
        leave = lambda customer, topic: links.url(Unsubscribe(customer, topic))  # noqa: E731
        activities = Activities(Desk(database, {"email": mailbox}, leave))
        async with ours(
            client, trial, name, activities.deliver, activities.record, iter(ids)
        ) as contender:
            yield contender
    finally:
        await database.dispose()


async def _stock(database: Database, trial: Trial, ids: list[str]) -> None:
    """Publish the journey, and open the enrollments as ingestion does."""
    now = datetime.now(UTC)
    loaded = folder()
    sources = loaded.journeys[trial.journey.journey].messages
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[trial.journey],
            policy=loaded.policy,
            messages={trial.journey.journey: {n: s.to_dict() for n, s in sources.items()}},
            at=now,
            by="benchmark",
        )
        await insert_new(session, [_customer(each, now) for each in ids], unique="id")
        await insert_new(session, list(_enrollments(trial, ids, now)), unique="id")


def _customer(customer_id: str, now: datetime) -> Customer:
    return Customer(
        id=customer_id,
        pseudonym=customer_id,
        traits=traits(now + timedelta(days=30)),
        created_at=now,
        updated_at=now,
    )


def _enrollments(trial: Trial, ids: list[str], now: datetime) -> Iterator[Enrollment]:
    for each in ids:
        given = trial.input(each, now)
        yield Enrollment(
            id=each,
            customer_id=each,
            journey=given.journey,
            version=given.version,
            start_event_id=given.start.event_id,
            start_at=given.start.at,
            entered_at=given.start.entered_at,
            input=given.model_dump(mode="json"),
        )


async def _check_mails(contender: Contender, database: Database) -> None:
    """Say if not everyone who finished got everything: the race would not have been one."""
    async with database.reading() as session:
        mails = await session.scalar(select(func.count()).select_from(MailboxMail)) or 0
    finished = len(contender.watch.finished)
    if mails != STEPS * finished:
        print(f"  {contender.name}: {finished} finished, but {mails} mails: NOT COMPARABLE")
