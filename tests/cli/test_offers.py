"""`parcours offers` finds coupons, uses them once, and revokes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from store import customers, enrollments, offers
from store.database import Database
from store.tables import Enrollment, Offer
from tests.api.given import publish, trial
from tests.cli.running import Ran, parcours

NOW = datetime.now(UTC)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A store with two coupons, one of them past."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'parcours.db'}"
    database = Database(url)
    database.upgrade()
    await publish(database)
    async with database.transaction() as session:
        await customers.lock(session, "ada", NOW)
        row = Enrollment(
            id="trial:ada",
            customer_id="ada",
            journey="trial",
            version=trial().version,
            start_event_id="x",
            start_at=NOW,
            entered_at=NOW,
        )
        assert await enrollments.insert(session, row)
        for code, days in (("AB2CD3EF", 5), ("PAST2345", -1)):
            offer = Offer(
                code=code,
                customer_id="ada",
                enrollment_id="trial:ada",
                journey="trial",
                step="coupon",
                percent=Decimal(20) if days > 0 else None,
                free_shipping=days < 0,
                valid_until_at=NOW + timedelta(days=days),
                message_key=code,
            )
            await offers.issue(session, offer)
    await database.dispose()
    return url


def ran(url: str, *arguments: str) -> Ran:
    return parcours("offers", *arguments, PARCOURS_DATABASE_URL=url)


async def test_coupons_are_listed_used_once_and_revoked(url: str) -> None:
    listed = ran(url, "list", "--customer", "ada")
    assert ("AB2CD3EF" in listed.out, "PAST2345" in listed.out) == (True, True)
    assert "free shipping" in listed.out
    assert ("20 %" in listed.out, "expired" in listed.out) == (True, True)
    assert "open" in ran(url, "show", "ab2c-d3ef").out
    assert ran(url, "redeem", "AB2CD3EF", "--order", "o1").code == 0
    again = ran(url, "redeem", "AB2CD3EF")
    assert (again.code != 0, "used before" in again.err) == (True, True)
    assert "good until" in ran(url, "redeem", "PAST2345").err
    assert ran(url, "revoke", "PAST2345", "--why", "a leak").code == 0
    assert "no coupon with this code" in ran(url, "show", "NOPE").err
