"""Recorded calls played through the real stack, on a Temporal server that skips time.

Everything is real: the store (SQLite, in a temporary folder), ingestion, the dispatcher,
the worker, `deliver` with the mailbox, and a Temporal server. What is not is time: the
server's clock jumps to whatever comes next. Decides when to jump; what happens is the
stack's to say.

The one surprising fact: the server need not have reached a call's time when the call comes
in. Times of decisions are the engine's, so it is enough that everything due before the call
has been decided, and that nothing due later has.
"""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeGuard

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from api.accept import accept
from api.dispatcher import Dispatcher
from api.errors import AlreadyEnrolledError
from api.services import Services
from api.temporal_names import SEARCH_ATTRIBUTES
from authoring.folder import LoadedJourney
from engine.calls import Call, FollowLink, Played, Reaction, TimePassed, UseCoupon
from engine.clock import Clock
from engine.clusters import clusters
from engine.lines import Line, in_order
from engine.policy import Policy
from engine.simulator import DEFAULT_SPAN
from settings import (
    EmailProvider,
    PostProvider,
    Settings,
    SmsProvider,
    WebhookProvider,
    load,
)
from store import computed, enrollments, journeys, outbox
from store.database import Database
from worker.binaries import TEST_SERVER, installed
from worker.desk import build_desk
from worker.errors import RehearsalError
from worker.made_up_shop import MadeUpShop
from worker.quiet import next_due, until_quiet
from worker.reacting import react
from worker.running import build_worker
from worker.told import lines_of

KeepHistory = Callable[[WorkflowHistory], None]

# Before a customer's first call, so that nothing of theirs lies before their clock's origin.
_HEAD_START = timedelta(seconds=1)

# Beyond a due time, since the server keeps milliseconds and the engine microseconds.
_PAST_DUE = timedelta(milliseconds=2)

# How far to look on when something that was due has not been done yet.
_AGAIN = timedelta(seconds=1)

# One call and what follows from it; the slowest seen, on a busy machine, took two seconds.
_GRACEFUL_SHUTDOWN = timedelta(seconds=10)


async def rehearse(
    named: LoadedJourney,
    policy: Policy,
    calls: Sequence[Played],
    until: datetime | None = None,
    keep: KeepHistory | None = None,
) -> list[Line]:
    """What `engine.simulator.simulate` answers for one journey, from a real server.

    `keep` is given each workflow's history as it stands at the end. Raises
    MissingBinaryError, RehearsalError, and CannotReact as the simulator does.
    """
    ordered = sorted(calls, key=lambda call: call.at)
    if not ordered:
        return []
    until = until or ordered[-1].at + DEFAULT_SPAN
    lines: list[Line] = []
    async with _stage(named, policy) as stage:
        for mine in clusters(ordered):  # one at a time: they share one clock
            who = list(dict.fromkeys(call.customer_id for call in mine))
            lines += await _play(stage, who, mine, until)
            if keep is not None:
                await _keep_histories(stage, who, keep)
            await _leave_none_open(stage, who)
    return in_order(lines, list(dict.fromkeys(call.customer_id for call in ordered)))


@dataclass
class _Wall:
    """The server's clock, as it was last looked at: what a worker there takes for real time."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class _Stage:
    environment: WorkflowEnvironment
    services: Services

    @property
    def database(self) -> Database:
        return self.services.database


@dataclass(frozen=True)
class _Play:
    """Customers who are played together: their clock, the dispatcher, and what has begun."""

    stage: _Stage
    customer_ids: Sequence[str]
    clock: Clock
    wall: _Wall  # the time that the dispatcher takes for real
    dispatcher: Dispatcher
    begun: list[str] = field(default_factory=list)


@asynccontextmanager
async def _stage(named: LoadedJourney, policy: Policy) -> AsyncIterator[_Stage]:
    """The stack, with one journey published, until the block is left."""
    with tempfile.TemporaryDirectory(prefix="parcours-") as folder:
        settings = _settings(Path(folder))
        database = Database(settings.database_url)
        database.upgrade()
        try:
            await _publish(database, named, policy)
            async with (
                await _start_server(Path(folder)) as environment,
                build_worker(
                    environment.client,
                    replace(
                        build_desk(settings, database, lambda: datetime.now(UTC)),
                        shop=MadeUpShop(),
                    ),
                    settings.task_queue,
                    _GRACEFUL_SHUTDOWN,
                ),
            ):
                await _add_search_attributes(environment.client, settings.rpc_timeout)
                yield _Stage(
                    environment,
                    Services(database=database, settings=settings, temporal=environment.client),
                )
        finally:
            await database.dispose()


async def _start_server(folder: Path) -> WorkflowEnvironment:
    with _output_to(folder / "server.log"):
        return await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(installed(TEST_SERVER)),
            data_converter=pydantic_data_converter,
        )


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Where programs that are started meanwhile write; ours has nothing to say just then.

    The SDK lets the server inherit our output, and the server prints a stack trace now and
    then as it goes: it has no place among the lines of a simulation.
    """
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    try:
        with log.open("ab") as file:
            for stream in kept:
                os.dup2(file.fileno(), stream)
        yield
    finally:
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)


async def _add_search_attributes(client: Client, rpc_timeout: timedelta) -> None:
    """This server can't be asked which it has; it begins with none."""
    names = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in SEARCH_ATTRIBUTES}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=names),
        timeout=rpc_timeout,
    )


def _settings(folder: Path) -> Settings:
    """Nothing of the environment's that could send anything or touch anything of anyone's."""
    return load(
        database_url=f"sqlite+aiosqlite:///{folder / 'rehearsal.db'}",
        secret_key=secrets.token_hex(),
        email_provider=EmailProvider.MAILBOX,
        smtp_username=None,
        smtp_password=None,
        sms_provider=SmsProvider.MAILBOX,
        post_provider=PostProvider.MAILBOX,
        webhook_provider=WebhookProvider.MAILBOX,
        webhook_secrets=None,
        # A rate is of real time, of which a rehearsal has none.
        **dict.fromkeys(("email_rate", "sms_rate", "post_rate", "webhook_rate"), 0),
        task_queue="rehearsal",
    )


async def _publish(database: Database, named: LoadedJourney, policy: Policy) -> None:
    async with database.transaction() as session:
        await journeys.publish(
            session,
            journeys=[named.journey],
            policy=policy,
            messages={
                named.journey.journey: {n: each.to_dict() for n, each in named.messages.items()}
            },
            at=datetime.now(UTC),
            by="rehearsal",
        )


async def _play(
    stage: _Stage, customer_ids: Sequence[str], calls: Sequence[Played], until: datetime
) -> list[Line]:
    """The calls of one cluster and all that follows; at one instant calls come before steps."""
    clock = Clock(
        real_origin=await stage.environment.get_current_time(),
        journey_origin=calls[0].at - _HEAD_START,
    )
    wall = _Wall(clock.real_origin)
    services = replace(stage.services, clock=clock, wall=wall)
    dispatcher = Dispatcher(services, stage.environment.client)
    play = _Play(stage, customer_ids, clock, wall, dispatcher)
    for call in calls:
        if call.at > until:
            break
        await _let_pass(play, call.at, inclusive=False)
        if isinstance(call, FollowLink | UseCoupon):
            await _react(play, call)
            continue
        try:
            await _accept(play, call)
        except AlreadyEnrolledError:
            continue  # a person would be told so; the journey goes on as it was
    await _let_pass(play, until, inclusive=True)
    async with stage.database.reading() as session:
        return [line for each in customer_ids for line in await lines_of(session, each, play.begun)]


async def _accept(play: _Play, call: Call) -> None:
    """One call, and all that follows from it at once."""
    services = replace(play.stage.services, clock=_behind(play.clock, len(play.begun)))
    accepted = await accept(services, [call], received_at=call.at)
    play.begun.extend(accepted.enrolled)
    await _until_told(play)
    await _check_carried(play.stage)


async def _react(play: _Play, reaction: Reaction) -> None:
    """What a customer does with a message; what follows bears the time at which they do it."""
    stage, clock = play.stage, _behind(play.clock, len(play.begun))
    wall = _Wall(clock.real(reaction.at))
    before = await _workflows(stage, play.customer_ids)
    await react(replace(stage.services, clock=clock, wall=wall), reaction)
    after = await _workflows(stage, play.customer_ids)
    play.begun.extend(each for each in after if each not in before)
    await _until_told(play, wall.at)
    await _check_carried(stage)


def _behind(clock: Clock, place: int) -> Clock:
    """The clock of a customer's next enrollment: its timers fire after those of the ones before.

    Where a frequency cap leaves room for one of two that are due at the same instant, the
    simulator gives it to the enrollment that began first, and so must this.
    """
    return clock.model_copy(update={"real_origin": clock.real_origin + place * _AGAIN})


async def _let_pass(play: _Play, end: datetime, *, inclusive: bool) -> None:
    """Have everything decided that is due before `end`, or (inclusive) at it.

    At one instant what time changes of the customers comes before their steps.
    """
    environment = play.stage.environment

    def is_due(at: datetime | None) -> TypeGuard[datetime]:
        return at is not None and (at < end or (inclusive and at == end))

    while True:
        now = play.clock.journey(await environment.get_current_time())
        due = await next_due(
            environment.client, await _workflows(play.stage, play.customer_ids), now
        )
        if await _tell(play):  # a step has ended since it was last asked, and had something to tell
            await _until_quiet(play)
            continue
        changes, changed = await _next_change(play)
        if is_due(changes) and (due is None or changes <= due):
            for each in changed:
                id_ = f"time:{each}:{changes.isoformat()}"
                await _accept(play, TimePassed(customer_id=each, at=changes, message_id=id_))
        elif is_due(due):
            await environment.sleep(due - now + _PAST_DUE if due > now else _AGAIN)
            await _until_quiet(play)
            await _until_told(play)
        else:
            return


async def _next_change(play: _Play) -> tuple[datetime | None, Sequence[str]]:
    """When time alone changes something next, and of which customers."""
    async with play.stage.database.reading() as session:
        rows = await computed.of_customers(session, play.customer_ids)
    times = {each: row.changes_at for each, row in rows.items() if row.changes_at is not None}
    first = min(times.values(), default=None)
    return first, sorted(each for each, at in times.items() if at == first)


async def _until_quiet(play: _Play) -> None:
    for enrollment_id in await _workflows(play.stage, play.customer_ids):
        await until_quiet(play.stage.environment.client, enrollment_id)


async def _until_told(play: _Play, written_at: datetime | None = None) -> None:
    """Until nobody has anything to tell: what one step set may have others move.

    `written_at` is the real time at which something was written ahead of the clocks.
    """
    while await _tell(play, written_at):
        await _until_quiet(play)


async def _tell(play: _Play, written_at: datetime | None = None) -> bool:
    """Have Temporal hear what there is to hear; whether there was anything."""
    now = await _wall_time(play.stage)
    play.wall.at = now if written_at is None else max(now, written_at)
    return bool(await play.dispatcher.drain())


async def _wall_time(stage: _Stage) -> datetime:
    """What is later: ours, by which calls are written, or the server's, by which steps are."""
    return max(await stage.environment.get_current_time(), stage.services.wall())


async def _workflows(stage: _Stage, customer_ids: Sequence[str]) -> list[str]:
    """The customers' workflows, also of enrollments that the store has closed before them."""
    async with stage.database.reading() as session:
        return [
            row.id for each in customer_ids for row in await enrollments.of_customer(session, each)
        ]


async def _check_carried(stage: _Stage) -> None:
    async with stage.database.reading() as session:
        left = await outbox.backlog(session)
    if left.pending or left.parked:
        raise RehearsalError(f"the server did not take {left.pending + left.parked} messages")


async def _keep_histories(stage: _Stage, customer_ids: Sequence[str], keep: KeepHistory) -> None:
    for enrollment_id in await _workflows(stage, customer_ids):
        handle = stage.environment.client.get_workflow_handle(enrollment_id)
        keep(await handle.fetch_history())


async def _leave_none_open(stage: _Stage, customer_ids: Sequence[str]) -> None:
    """The next customer must find the server's clock unbound by this one's timers."""
    for enrollment_id in await _workflows(stage, customer_ids):
        await stage.environment.client.get_workflow_handle(enrollment_id).cancel()
        await until_quiet(stage.environment.client, enrollment_id)
