"""What a worded mail holds to observe its reader by: no more than policy and reader allow."""

from email import message_from_bytes
from email import policy as email_policy
from email.message import EmailMessage
from typing import Any

import pytest

from engine.purposes import CLICKS, OPENS
from rendering.links import Click
from store import customers
from store.database import Database
from store.tables import ConsentState
from tests.activities.given import LINKS, NOW, Office, journey, open_office, policy, say

TEXT = {
    "subject.txt": "Tip",
    "email.html": '<body><p><a href="https://shop.example/?a=1&amp;b=2">Shop</a></p>'
    '<p><a href="{{ links.unsubscribe or links.preferences }}">Leave</a></p></body>',
}
YES, NO = ConsentState.SUBSCRIBED, ConsentState.UNSUBSCRIBED


async def worded(office: Office) -> tuple[str, str]:
    """The mail's HTML and text."""
    await office.deliver()
    parsed = message_from_bytes(office.provider.given[0].raw, policy=email_policy.default)
    assert isinstance(parsed, EmailMessage)
    html, text = parsed.get_body(("html",)), parsed.get_body(("plain",))
    assert html is not None
    assert text is not None
    return html.get_content(), text.get_content()


async def said(db: Database, topic: str | None, state: ConsentState) -> None:
    async with db.transaction() as session:
        await customers.lock(session, "c1", NOW)
        await say(session, "c1", state, topic)


async def test_links_of_the_html_lead_by_way_of_us_and_those_of_the_text_do_not(
    db: Database,
) -> None:
    office = await open_office(db, texts={"tip": TEXT})
    html, text = await worded(office)
    by_way = LINKS.url(Click("trial:c1/tip/start", "https://shop.example/?a=1&b=2"))
    assert f'href="{by_way}"' in html
    assert "https://shop.example/?a=1&b=2" in text
    assert "/c/" not in text
    assert "/o/" not in html
    assert html.count("/u/") == 1


@pytest.mark.parametrize(
    "rules",
    [
        {"tracking": {"clicks": False}},
        {"topics": {"onboarding": {"title": "T", "subscribed": True, "tracking": False}}},
    ],
)
async def test_where_clicks_are_not_tracked_links_stay_as_they_are(
    db: Database, rules: dict[str, Any]
) -> None:
    office = await open_office(db, texts={"tip": TEXT}, rules=policy(**rules))
    html, _ = await worded(office)
    assert 'href="https://shop.example/?a=1&amp;b=2"' in html


async def test_who_has_said_no_to_it_gets_plain_links(db: Database) -> None:
    office = await open_office(db, texts={"tip": TEXT})
    await said(db, CLICKS, NO)
    html, _ = await worded(office)
    assert "/c/" not in html


async def test_a_transactional_mail_has_plain_links_and_no_pixel(db: Database) -> None:
    step = {"transactional": True}
    office = await open_office(
        db, texts={"tip": TEXT}, what=journey(step=step), rules=policy(tracking={"opens": True})
    )
    await said(db, OPENS, YES)
    html, _ = await worded(office)
    assert ("/c/" in html, "/o/" in html) == (False, False)


@pytest.mark.parametrize(
    ("topic", "has_pixel"), [(OPENS, True), (None, False), ("onboarding", False)]
)
async def test_a_pixel_needs_consent_to_precisely_that(
    db: Database, topic: str | None, has_pixel: bool
) -> None:
    office = await open_office(db, texts={"tip": TEXT}, rules=policy(tracking={"opens": True}))
    await said(db, topic, YES)
    html, _ = await worded(office)
    assert ("/o/" in html) is has_pixel
