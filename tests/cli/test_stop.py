"""`parcours stop`, `start`, `stops`, `archive`: as the API does, on the store itself."""

import asyncio
from pathlib import Path

import pytest

from store import archives, stops
from store.database import Database
from store.tables import Archive, ArchivedInside, Stop
from tests.cli.running import Ran, parcours_here
from tests.cli.test_enrollments import url

__all__ = ["url"]


def run(url: str, *arguments: str | Path) -> Ran:
    return parcours_here(*arguments, PARCOURS_DATABASE_URL=url)


async def buttons(url: str) -> list[Stop]:
    database = Database(url)
    async with database.reading() as session:
        found = await stops.newest(session)
    await database.dispose()
    return found


async def archived(url: str) -> list[Archive]:
    database = Database(url)
    async with database.reading() as session:
        found = await archives.every(session)
    await database.dispose()
    return found


def test_a_step_is_stopped_listed_and_started(url: str) -> None:
    what = ("step", "trial-onboarding", "tip")
    ran = run(url, "stop", *what, "--why", "a wrong price")
    assert (ran.code, "nothing of it goes out from now on" in ran.out) == (0, True)
    listed = run(url, "stops").out
    assert "step tip of trial-onboarding" in listed
    assert "a wrong price" in listed
    assert "in force" in listed
    ran = run(url, "start", *what, "--rate", "5")
    assert (ran.code, ran.out) == (0, "step tip of trial-onboarding goes on\n")
    (row,) = asyncio.run(buttons(url))
    assert (row.actor, row.lifted_by) == ("cli", "cli")
    assert "was not stopped" in run(url, "start", *what).err


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (("all",), "write `everything`, `marketing`"),
        (("journey",), "write `everything`, `marketing`"),
        (
            ("journey", "trial"),
            "there never was a journey `trial`; there is `confirm-subscription`, `trial",
        ),
        (("step", "trial-onboarding", "tipp"), "has no step `tipp`; it has `thanks`"),
        (("channel", "mail"), "there is no channel `mail`; there are `email`"),
    ],
)
def test_a_slip_of_the_pen_stops_nothing(
    url: str,
    what: tuple[str, ...],
    told: str,
) -> None:
    ran = run(url, "stop", *what)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert asyncio.run(buttons(url)) == []


def test_archiving_says_who_is_inside_and_exit_ends_them(url: str) -> None:
    ran = run(url, "archive", "trial-onboarding")
    assert (ran.code, "1 inside go on; `--inside exit` ends them" in ran.out) == (0, True)
    ran = run(url, "archive", "trial-onboarding", "--inside", "exit")
    assert "1 inside have exited" in ran.out
    (row,) = asyncio.run(archived(url))
    assert row.inside is ArchivedInside.EXIT
    assert "exited" in run(url, "enrollments", "show", "trial-onboarding:ada").out
    assert run(url, "unarchive", "trial-onboarding").out == "trial-onboarding enrolls again\n"
    assert run(url, "archive", "trial-onboarding", "--inside", "stay").code == 2
    assert run(url, "unarchive", "trial-onboarding").code == 2
