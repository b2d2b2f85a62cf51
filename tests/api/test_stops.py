"""Stop buttons and archives by the API, and what Temporal hears of them."""

from datetime import timedelta

import httpx
import pytest

from api.archiving import Archiving
from api.dispatcher import Dispatcher
from api.importing.listed import Begins, ListedEnrolling
from api.services import Services
from engine.disposition import Disposition
from engine.effects import NotEnrolled
from engine.reasons import Reason
from engine.stops import Outgoing
from store import audit, customers, enrollments, held, outbox
from store.tables import ArchivedInside, EnrollmentState, OutboxKind
from tests.api.fake_temporal import FakeTemporal
from tests.api.given import (
    A_DAY,
    DAY,
    HOUR,
    Wall,
    enrollment,
    identify,
    kept_events,
    make_key,
    publish,
    take,
    track,
    trial,
)
from tests.api.given import outbox as all_rows

THANKS = Outgoing(journey="trial", step="thanks", channel="email", is_marketing=True)


@pytest.fixture
async def inside(services: Services) -> Services:
    """Three customers in the trial."""
    await publish(services.database)
    for who in ("c1", "c2", "c3"):
        await take(services, identify(customer=who), track("trial_started", customer=who))
    return services


async def put_by(services: Services, who: str = "c1") -> None:
    """As `deliver` does when it answers that the step is stopped."""
    wall = services.wall()
    async with services.database.transaction() as session:
        await customers.hold(session, who)
        await enrollments.set_next(session, f"trial:{who}", "thanks", A_DAY + DAY, Reason.STOPPED)
        await held.put_by(
            session,
            customer_id=who,
            enrollment_id=f"trial:{who}",
            message=THANKS,
            now=wall,
            until=wall + DAY,
        )


async def test_a_button_is_pressed_listed_and_lifted(
    client: httpx.AsyncClient, inside: Services
) -> None:
    order = {"scope": "step", "journey": "trial", "step": "thanks", "why": "a wrong price"}
    pressed = await client.post("/v1/stops", json=order)
    assert pressed.status_code == 200
    number = pressed.json()["id"]
    await put_by(inside)
    told = (await client.get("/v1/stops")).json()
    assert told["waiting"] == 1
    (stop,) = told["stops"]
    assert (stop["scope"], stop["step"], stop["why"]) == ("step", "thanks", "a wrong price")
    assert stop["lifted_at"] is None
    lifted = (await client.delete(f"/v1/stops/{number}")).json()
    assert (lifted["woken"], lifted["stops"][0]["lifted_by"]) == (1, "key:test")
    assert (await client.get("/v1/stops")).json()["stops"][0]["lifted_at"] is not None
    async with inside.database.reading() as session:
        entries = await audit.newest(session)
    assert [entry.action for entry in entries[:2]] == ["start", "stop"]
    assert entries[1].details == {
        "what": "step thanks of trial",
        "number": number,
        "why": "a wrong price",
    }


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"scope": "journey"}, 400, "bad_stop"),
        ({"scope": "everything", "journey": "trial"}, 400, "bad_stop"),
        ({"scope": "step", "journey": "trial"}, 400, "bad_stop"),
        ({"scope": "journey", "journey": "trail"}, 404, "no_such_journey"),
        ({"scope": "step", "journey": "trial", "step": "thank"}, 404, "no_such_step"),
        ({"scope": "channel", "channel": "mail"}, 404, "no_such_channel"),
        ({"scope": "all"}, 400, "invalid_request"),
    ],
)
async def test_a_slip_of_the_pen_stops_nothing_and_is_told(
    client: httpx.AsyncClient, inside: Services, order: dict[str, str], status: int, code: str
) -> None:
    answer = await client.post("/v1/stops", json=order)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await client.get("/v1/stops")).json()["stops"] == []


async def test_a_button_that_there_is_not_can_not_be_lifted(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/v1/stops/7")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_stop")


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "1e-300"])
async def test_a_rate_that_makes_no_sense_lifts_nothing(
    client: httpx.AsyncClient, services: Services, rate: str
) -> None:
    number = (await client.post("/v1/stops", json={"scope": "everything"})).json()["id"]
    answer = await client.delete(f"/v1/stops/{number}", params={"rate": rate})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert (await client.get("/v1/stops")).json()["stops"][0]["lifted_at"] is None


async def test_a_key_for_events_stops_nothing(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    anyone.headers["Authorization"] = f"Bearer {await make_key(services.database, 'events:write')}"
    for answer in (
        await anyone.post("/v1/stops", json={"scope": "everything"}),
        await anyone.post("/v1/journeys/trial/archive", json={}),
    ):
        assert answer.status_code == 403


async def test_those_who_are_started_again_hear_of_it_in_their_turn(
    client: httpx.AsyncClient,
    inside: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
) -> None:
    await dispatcher.drain()
    number = (await client.post("/v1/stops", json={"scope": "everything"})).json()["id"]
    for who in ("c1", "c2", "c3"):
        await put_by(inside, who)
    await client.delete(f"/v1/stops/{number}", params={"rate": 0.5})
    temporal.heard.clear()
    await dispatcher.drain()
    assert [(each.what, each.workflow) for each in temporal.heard] == [("retry", "trial:c1")]
    assert temporal.heard[0].arg["step"] == "thanks"
    wall.pass_(timedelta(seconds=2))
    await dispatcher.drain()
    wall.pass_(timedelta(seconds=2))
    await dispatcher.drain()
    assert [each.workflow for each in temporal.heard] == ["trial:c1", "trial:c2", "trial:c3"]


async def test_who_has_yet_to_have_their_turn_hears_of_all_else_at_once(
    client: httpx.AsyncClient,
    inside: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
) -> None:
    await dispatcher.drain()
    number = (await client.post("/v1/stops", json={"scope": "everything"})).json()["id"]
    for who in ("c1", "c2"):
        await put_by(inside, who)
    await client.delete(f"/v1/stops/{number}", params={"rate": 0.01})
    await dispatcher.drain()
    await take(inside, track("trial_cancelled", A_DAY + HOUR, "c2"))
    temporal.heard.clear()
    await dispatcher.drain()
    assert [(each.what, each.workflow) for each in temporal.heard] == [("event", "trial:c2")]
    async with inside.database.reading() as session:
        assert await outbox.backlog(session) == outbox.Backlog(0, None, 0)


async def test_what_is_stopped_is_not_among_what_was_put_aside(
    client: httpx.AsyncClient, inside: Services, dispatcher: Dispatcher
) -> None:
    await dispatcher.drain()
    await put_by(inside)
    async with inside.database.reading() as session:
        assert await outbox.backlog(session) == outbox.Backlog(0, None, 0)
        (row,) = await held.page(session, 0, 10)
    assert (await client.get("/v1/outbox")).json()["rows"] == []
    assert (await client.post(f"/v1/outbox/{row.id}/retry")).json()["code"] == "not_parked"


async def test_a_list_and_a_page_say_what_holds_the_next_step_up(
    client: httpx.AsyncClient, inside: Services
) -> None:
    await put_by(inside)
    told = (await client.get("/v1/enrollments/trial:c1")).json()
    assert (told["next_step"], told["next_reason"]) == ("thanks", "stopped")
    for path in ("/enrollments/trial:c1", "/enrollments"):
        assert ">stopped</span>" in (await client.get(path)).text
    await take(inside, track("trial_cancelled", A_DAY + HOUR))
    assert (await enrollment(inside.database)).next_reason is None


# --- Archives -----------------------------------------------------------------------------


async def test_an_archived_journey_lets_nobody_in_and_those_inside_finish(
    client: httpx.AsyncClient, inside: Services
) -> None:
    answer = (await client.post("/v1/journeys/trial/archive", json={})).json()
    assert (answer["inside"], answer["exited"], answer["open"]) == ("finish", 0, 3)
    late = track("trial_started", customer="late")
    await take(inside, late)
    (event,) = [e for e in await kept_events(inside.database) if e.message_id == late.message_id]
    told = Disposition.model_validate(event.disposition)
    assert told.refused == {"trial": NotEnrolled.ARCHIVED}
    order = {"customer_id": "late"}
    by_hand = await client.post("/v1/journeys/trial/enroll", json=order)
    assert (by_hand.status_code, by_hand.json()["code"]) == (409, "journey_archived")
    assert (await enrollment(inside.database)).state is EnrollmentState.OPEN
    (listed,) = (await client.get("/v1/archives")).json()["archives"]
    assert (listed["journey"], listed["actor"]) == ("trial", "key:test")
    assert (await client.post("/v1/journeys/trial/unarchive")).status_code == 204
    assert (await client.post("/v1/journeys/trial/enroll", json=order)).status_code == 200


async def test_a_list_can_not_be_enrolled_into_an_archived_journey(inside: Services) -> None:
    from api.errors import JourneyArchivedError

    await Archiving(inside, "ann").archive("trial", ArchivedInside.FINISH)
    with pytest.raises(JourneyArchivedError, match="parcours unarchive trial"):
        await ListedEnrolling(inside, "trial", Begins(), "ann").find_journey()


async def test_a_journey_that_starts_over_ends_nothing_once_it_is_archived(
    services: Services,
) -> None:
    await publish(services.database, trial(reenter="restart"))
    await take(services, identify(), track("trial_started"))
    await Archiving(services, "ann").archive("trial", ArchivedInside.FINISH)
    await take(services, track("trial_started", A_DAY + HOUR))
    assert (await enrollment(services.database)).state is EnrollmentState.OPEN


async def test_those_inside_exit_at_once_and_temporal_hears_in_turn(
    client: httpx.AsyncClient,
    inside: Services,
    dispatcher: Dispatcher,
    temporal: FakeTemporal,
    wall: Wall,
) -> None:
    await dispatcher.drain()
    order = {"inside": "exit", "rate": 0.5}
    answer = (await client.post("/v1/journeys/trial/archive", json=order)).json()
    assert (answer["exited"], answer["open"]) == (3, 0)
    for who in ("c1", "c2", "c3"):
        row = await enrollment(inside.database, f"trial:{who}")
        assert (row.state, row.ended_by) == (EnrollmentState.EXITED, "archived")
    temporal.heard.clear()
    await dispatcher.drain()
    (first,) = temporal.heard
    assert (first.what, first.workflow, first.arg["ending"]) == ("event", "trial:c1", "exited")
    wall.pass_(timedelta(seconds=4))
    await dispatcher.drain()
    assert [each.workflow for each in temporal.heard] == ["trial:c1", "trial:c2", "trial:c3"]


async def test_those_who_exit_are_found_page_by_page_and_again_after_a_break(
    inside: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.archiving._PAGE", 1)
    real, calls = held.last_turn, 0

    async def kill(session: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("killed")
        return await real(session)  # type: ignore[arg-type]

    monkeypatch.setattr("store.held.last_turn", kill)
    archiving = Archiving(inside, "ann")
    with pytest.raises(RuntimeError):
        await archiving.archive("trial", ArchivedInside.EXIT)
    assert (await archiving.archive("trial", ArchivedInside.EXIT)).exited == 1
    told = [row for row in await all_rows(inside.database) if row.kind is OutboxKind.PACED]
    assert sorted(row.enrollment_id or "" for row in told) == ["trial:c1", "trial:c2", "trial:c3"]


async def test_a_journey_that_never_was_is_told(
    client: httpx.AsyncClient, inside: Services
) -> None:
    answer = await client.post("/v1/journeys/trail/archive", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_journey")
    answer = await client.post("/v1/journeys/trial/unarchive")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_archived")
