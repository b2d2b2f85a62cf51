"""Every fault on the way of a message that `deliver` sends: nobody is lost, nobody gets two.

At the end the provider's own log is compared with what the store says of each message.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities.desk import Trouble
from engine.reasons import Decision
from store.database import Database
from tests.activities.faults.carriers import CARRIERS, Carrier
from tests.activities.faults.ledger import Told, mistakes
from tests.activities.given import NOW, Office, enroll, journey, open_office

# When it is tried again: soon, once a search has caught up, later, and past its deadline.
AFTER = [timedelta(minutes=minutes) for minutes in (0, 1, 6, 60, 3_000)]


def chosen(faults: Sequence[Any], every: bool) -> list[Any]:
    """All, or one for each line of the table and each way to take the message all the same."""
    kinds = {(fault.row, getattr(fault, "stage", ""), fault.takes): fault for fault in faults}
    return list(faults) if every else list(kinds.values())


async def deliver_through(office: Office, carrier: Carrier, fault: Any, lasts: bool) -> None:
    """Try until it is settled; the fault `lasts`, or is over after the first attempt."""
    order = office.order(
        report={"enrollment_id": office.enrollment, "customer_id": office.customer_id}
    )
    facing = office.with_provider(carrier.facing(fault))
    async with AsyncExitStack() as failing:
        await failing.enter_async_context(carrier.stub.failing(fault))
        for after in AFTER:
            try:
                await facing.deliver(order, after=after)
            except Trouble:
                if not lasts:
                    await failing.aclose()
                    facing = office.with_provider(carrier.provider)
            else:
                return


async def told_of(office: Office, fault: Any, reader: str, transactional: bool) -> Told:
    row = await office.message()
    decision = None if row is None else row.decision
    return Told(reader, decision, transactional, f"{fault}:")


async def judge(
    store: Database, name: str, *, every: bool, transactional: bool, lasts: bool
) -> None:
    kind = {"topic": None, "transactional": True} if transactional else {}
    what, told = journey(**kind), []
    office = await open_office(store, what=what)
    async with CARRIERS[name]() as carrier:
        for number, fault in enumerate(chosen(carrier.faults, every)):
            customer, reader = f"r{number}", f"r{number}@reader.example"
            async with store.transaction() as session:
                row = await enroll(session, what, customer, {"email": reader, "name": "Ann"})
            theirs = replace(office, customer_id=customer, enrollment=row.id)
            await deliver_through(theirs, carrier, fault, lasts)
            told.append(await told_of(theirs, fault, reader, transactional))
        keys = carrier.provider.remembers_keys_for is not None
        assert mistakes(told, carrier.stub.readers, honours_keys=keys) == []
        outcomes = {each.decision for each in told}
    assert Decision.NOT_SENT in outcomes if lasts else Decision.SENT in outcomes
    # With keys, only what was never answered until its deadline is for a person.
    assert (Decision.UNKNOWN in outcomes) == (lasts or not (keys or transactional))


@pytest.mark.parametrize(
    ("name", "transactional", "lasts"),
    [
        ("resend", False, False),
        ("resend", True, True),
        ("postmark", False, False),
        ("smtp", False, True),
    ],
)
async def test_nobody_is_lost_and_nobody_gets_two(
    store: Database, name: str, transactional: bool, lasts: bool
) -> None:
    await judge(store, name, every=False, transactional=transactional, lasts=lasts)


@pytest.mark.wide
@pytest.mark.parametrize("lasts", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("transactional", [False, True], ids=["marketing", "transactional"])
@pytest.mark.parametrize("name", CARRIERS)
async def test_nobody_is_lost_whatever_the_fault(
    store: Database, name: str, transactional: bool, lasts: bool
) -> None:
    await judge(store, name, every=True, transactional=transactional, lasts=lasts)


SENT, NOT_SENT, UNKNOWN = Decision.SENT, Decision.NOT_SENT, Decision.UNKNOWN


@pytest.mark.parametrize(
    ("decision", "copies", "transactional", "keys", "is_mistake"),
    [
        (SENT, 1, False, False, False),
        (SENT, 0, False, False, True),
        (SENT, 2, False, False, True),
        (SENT, 2, True, False, False),
        (SENT, 2, True, True, True),
        (SENT, 3, True, False, True),
        (NOT_SENT, 0, False, True, False),
        (NOT_SENT, 1, False, False, True),
        (UNKNOWN, 0, False, False, False),
        (UNKNOWN, 1, False, True, False),
        (UNKNOWN, 2, False, True, True),
        (None, 0, False, True, True),
    ],
)
def test_the_judge_knows_what_a_mistake_is(
    decision: Decision | None, copies: int, transactional: bool, keys: bool, is_mistake: bool
) -> None:
    told = [Told("a", decision, transactional)]
    assert bool(mistakes(told, ["a"] * copies, honours_keys=keys)) == is_mistake


def test_the_judge_sees_a_reader_whom_nobody_decided_to_write_to() -> None:
    assert mistakes([Told("a", SENT)], ["a", "b"], honours_keys=True) == [
        "b got what nobody decided"
    ]


def test_the_first_attempt_is_at_the_step_s_time_and_the_last_past_its_deadline() -> None:
    assert NOW + AFTER[0] == NOW
    assert AFTER[-1] > timedelta(days=1, hours=1)
