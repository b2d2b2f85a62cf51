"""`parcours broadcast`: as the API does, on the store itself."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.services import Services
from store import broadcasts
from store.database import Database
from store.tables import Broadcast
from tests.api.given import identify, load_settings, take
from tests.cli.running import Ran, parcours_here
from tests.cli.test_enrollments import url as empty

__all__ = ["empty"]

TIP = ("--message", "trial-onboarding/tip")


@pytest.fixture
def url(empty: str) -> str:
    """Three customers, of whom one can't be written to."""

    async def meet() -> None:
        database = Database(empty)
        services = Services(database=database, settings=load_settings(empty))
        for who in ("b1", "b2", "b3"):
            email = None if who == "b3" else f"{who}@acme.example"
            await take(services, identify(customer=who, email=email, plan="pro"))
        await database.dispose()

    asyncio.run(meet())
    return empty


def run(url: str, *arguments: str | Path) -> Ran:
    return parcours_here("broadcast", *arguments, PARCOURS_DATABASE_URL=url)


def kept(url: str, name: str) -> Broadcast:
    async def found() -> Broadcast | None:
        database = Database(url)
        async with database.reading() as session:
            row = await broadcasts.get(session, name)
        await database.dispose()
        return row

    row = asyncio.run(found())
    assert row is not None
    return row


def test_a_preview_counts_who_gets_it_and_why_the_others_do_not(url: str) -> None:
    ran = run(url, "preview", *TIP, "--audience", "customer.plan == 'pro'")
    assert ran.code == 0, ran.err
    lines = (line.strip().rpartition(" ") for line in ran.out.splitlines())
    told = {what.strip(): number for what, _, number in lines}
    assert (told["in the audience"], told["get it"]) == ("3", "2")
    assert told["without it: no_address"] == "1"


def test_one_is_begun_listed_shown_paused_resumed_and_stopped(url: str) -> None:
    when = ("--at-local", "09:00", "--on", "2099-12-01", "--rate", "300/minute")
    ran = run(url, "start", "sale", *TIP, *when, "--yes")
    assert ran.code == 0, ran.err
    assert "at each one's own 2099-12-01 09:00, 5 a second" in ran.out
    row = kept(url, "sale")
    assert (row.start_at, row.per_second) == (datetime(2099, 11, 30, 19, tzinfo=UTC), 5)
    assert row.created_by == "cli"
    assert "message trial-onboarding/tip" in run(url, "list").out
    for order, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert run(url, order, "sale").code == 0
        assert kept(url, "sale").state == state
    shown = run(url, "show", "sale").out
    assert "stopped (by cli)" in shown
    assert "yet to be sent" in shown
    assert "the broadcast is over" in run(url, "resume", "sale").err


def test_properties_are_json_where_they_can_be_read_so(url: str) -> None:
    given = ("--property", "line=4", "--property", "why=works on the track")
    ran = run(url, "start", "line-4", "--event", "restored", *given, "--yes")
    assert ran.code == 0, ran.err
    assert kept(url, "line-4").properties == {"line": 4, "why": "works on the track"}


def test_nobody_sends_to_many_without_having_been_asked(url: str) -> None:
    ran = run(url, "start", "sale", *TIP)
    assert (ran.code, "add `--yes`" in ran.err) == (2, True)
    assert "no broadcasts" in run(url, "list").out


WRONG: list[tuple[tuple[str, ...], str]] = [
    ((*TIP, "--rate", "50/day"), "write `50/second`"),
    ((*TIP, "--rate", "0"), "write `50/second`"),
    ((*TIP, "--on", "2099-12-01"), "--on is a day of --at-local"),
    ((*TIP, "--at", "soon"), "`soon` is no time"),
    ((*TIP, "--at-local", "9"), "`9` is no local time"),
    ((*TIP, "--property", "line"), "write `NAME=VALUE`"),
    (("--message", "trial-onboarding/tap"), "has no step `tap`"),
    ((*TIP, "--audience", "customer.plan ="), "`customer.plan =`"),
    ((), "exactly one of"),
]


def test_what_is_typed_wrong_is_told(url: str) -> None:
    for given, told in WRONG:
        ran = run(url, "start", "sale", *given, "--yes")
        assert (ran.code, told in ran.err) == (2, True), ran.err
