"""A list enrolled midway: who may enter, when it began for them, and what they still get."""

from typing import Any

import pytest

from api.errors import NoSuchJourneyError
from api.importing.listed import AlreadyThere, Became, Begins, Entered, ListedEnrolling
from api.importing.rows import Refusal, Row, RowCode
from api.services import Services
from engine.machine import Machine
from engine.orders import EnrollmentInput
from engine.outlook import When
from engine.reasons import Ending, Reason
from store import audit, customers, enrollments
from tests.api.given import (
    A_DAY,
    DAY,
    HOUR,
    enrollment,
    identify,
    outbox,
    publish,
    take,
    track,
    trial,
)
from tests.api.test_importing import contents

THREE_WEEKS_AGO = (A_DAY - 21 * DAY).isoformat()


def listed(services: Services, begins: Begins | None = None) -> ListedEnrolling:
    return ListedEnrolling(services, "trial", begins or Begins(), "test")


async def enroll(services: Services, begins: Begins | None = None, **values: Any) -> Became:
    return await listed(services, begins).enroll(Row(2, {"id": "c1", **values}))


@pytest.fixture
async def known(services: Services) -> None:
    """The trial is published, and there is a customer whose trial ends in nine days."""
    await publish(services.database)
    ends_at = (A_DAY + 9 * DAY).isoformat()
    await take(services, identify(A_DAY - 30 * DAY, trial_ends_at=ends_at))


@pytest.mark.usefixtures("known")
async def test_who_began_three_weeks_ago_gets_what_is_to_come_and_nothing_past_its_grace(
    services: Services,
) -> None:
    became = await enroll(services, start_at=THREE_WEEKS_AGO)
    assert became == Entered("trial:c1")
    row = await enrollment(services.database)
    assert row.start_at == A_DAY - 21 * DAY
    given = EnrollmentInput.model_validate(row.input)
    machine = Machine(trial(), given.start, given.facts, tolerances=given.tolerances)
    assert machine.take(A_DAY) is None
    expired = [(each.step, each.reason) for each in machine.state.settled]
    assert expired == [("thanks", Reason.EXPIRED), ("demo", Reason.EXPIRED)]
    wake = machine.wakeup(A_DAY)
    assert wake is not None
    assert (wake.step, wake.at) == ("coupon", A_DAY + 4 * DAY)


@pytest.mark.usefixtures("known")
async def test_a_preview_tells_it_step_by_step_and_writes_nothing(services: Services) -> None:
    before = await contents(services.database)
    rows = [Row(2, {"id": "c1", "start_at": THREE_WEEKS_AGO}), Row(3, {"id": "c9"})]
    first, second = await listed(services).preview(rows)
    assert isinstance(first, Entered)
    assert first.outlook is not None
    assert dict(first.outlook.steps) == {
        "thanks": When.PAST,
        "demo": When.PAST,
        "coupon": When.LATER,
    }
    assert isinstance(second, Refusal)
    assert await contents(services.database) == before
    assert await enroll(services, start_at=THREE_WEEKS_AGO) == Entered("trial:c1")


@pytest.mark.usefixtures("known")
async def test_an_exit_since_the_start_counts_and_a_preview_knows(services: Services) -> None:
    await take(services, track("subscription_purchased", A_DAY - DAY))
    row = Row(2, {"id": "c1", "start_at": THREE_WEEKS_AGO})
    (became,) = await listed(services).preview([row])
    assert isinstance(became, Entered)
    assert became.outlook is not None
    assert became.outlook.ended is not None
    assert became.outlook.ended.ending is Ending.CONVERTED
    await listed(services).enroll(row)
    assert (await enrollment(services.database)).ending is Ending.CONVERTED


@pytest.mark.usefixtures("known")
async def test_the_same_list_again_enrolls_nobody_twice(services: Services) -> None:
    await enroll(services, start_at=THREE_WEEKS_AGO)
    before = await contents(services.database)
    assert await enroll(services, start_at=THREE_WEEKS_AGO) == AlreadyThere()
    assert await enroll(services) == AlreadyThere()
    assert await contents(services.database) == before
    assert len(await outbox(services.database)) == 1


@pytest.mark.usefixtures("known")
async def test_who_entered_otherwise_is_refused(services: Services) -> None:
    await take(services, track("trial_started", A_DAY))
    became = await enroll(services)
    assert isinstance(became, Refusal)
    assert became.code is RowCode.ALREADY_ENROLLED
    assert "is in `trial` already" in became.message


@pytest.mark.usefixtures("known")
async def test_it_began_by_the_row_else_for_all_else_now(services: Services) -> None:
    for number in (2, 3, 4):
        await take(services, identify(customer=f"c{number}"))
    for_all = Begins(default="2026-11-20")
    await enroll(services, for_all, start_at=THREE_WEEKS_AGO)
    await enroll(services, for_all, id="c2")
    await enroll(services, id="c3")
    await enroll(services, Begins(column="since"), id="c4", since="2026-11-19T08:00:00Z")
    began = [
        (await enrollment(services.database, f"trial:c{number}")).start_at
        for number in (1, 2, 3, 4)
    ]
    midnight = A_DAY.replace(day=20, hour=0)
    assert began == [A_DAY - 21 * DAY, midnight, A_DAY, A_DAY - 4 * DAY - HOUR]


async def test_a_date_is_midnight_where_the_customer_is(services: Services) -> None:
    await publish(services.database)
    await take(services, identify(A_DAY - DAY, timezone="Europe/Paris"))
    await enroll(services, start_at="2026-11-20")
    began = (await enrollment(services.database)).start_at
    assert began == A_DAY.replace(day=19, hour=23)


async def test_a_key_comes_from_a_column(services: Services) -> None:
    await publish(services.database, trial(key="seat"))
    await take(services, identify(A_DAY - DAY))
    assert await enroll(services, seat="a") == Entered("trial:c1:a")
    assert await enroll(services, seat="b", color="red") == Entered("trial:c1:b")
    assert await enroll(services, seat="a") == AlreadyThere()
    refused = await enroll(services)
    assert isinstance(refused, Refusal)
    assert (refused.code, "`seat`" in refused.message) == (RowCode.NO_KEY, True)
    row = await enrollment(services.database, "trial:c1:b")
    assert row.start_properties == {"seat": "b", "color": "red"}


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "c9"}, RowCode.NO_SUCH_CUSTOMER),
        ({"id": ""}, RowCode.NO_ID),
        ({"start_at": "last week"}, RowCode.INVALID_TIME),
        ({"start_at": "2027-01-01"}, RowCode.IN_FUTURE),
    ],
)
async def test_who_can_not_enter_is_told_why(
    services: Services, change: dict[str, Any], code: RowCode
) -> None:
    refused = await enroll(services, **change)
    assert isinstance(refused, Refusal)
    assert (refused.line, refused.code) == (2, code)
    assert await outbox(services.database) == []


@pytest.mark.usefixtures("known")
async def test_the_erased_are_not_enrolled(services: Services) -> None:
    async with services.database.transaction() as session:
        (await customers.lock(session, "c1", A_DAY)).erased_at = A_DAY
    refused = await enroll(services)
    assert isinstance(refused, Refusal)
    assert refused.code is RowCode.ERASED


@pytest.mark.usefixtures("known")
async def test_the_audit_log_names_who_did_it(services: Services) -> None:
    await enroll(services, start_at=THREE_WEEKS_AGO)
    async with services.database.reading() as session:
        (entry,) = await audit.newest(session, enrollment_id="trial:c1")
        (row,) = await enrollments.of_customer(session, "c1")
    assert (entry.actor, entry.action, entry.details) == (
        "test",
        "enroll",
        {"start_at": row.start_at.isoformat()},
    )


async def test_a_journey_that_is_not_published_is_told_with_those_that_are(
    services: Services,
) -> None:
    with pytest.raises(NoSuchJourneyError, match="published: none"):
        await listed(services).find_journey()
    await publish(services.database, trial(journey="other"))
    with pytest.raises(NoSuchJourneyError, match="published: `other`"):
        await listed(services).find_journey()
