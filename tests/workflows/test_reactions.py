"""Clicks and coupons on the real stack: what the simulator says comes of them, and what can't be.

There a click follows a link of the captured mail and a coupon is used by its code, as in
production; so these scenarios also hold the simulator's events to those of the API.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from authoring.folder import LoadedJourneys, load_journeys
from cli.scenarios import expected, told
from cli.simulate import play
from engine.calls import FollowLink, Played, Reaction, UseCoupon
from engine.reactions import CannotReact
from worker.rehearsal import rehearse

FILES = {
    "policy.yaml": """
sender: {name: Ada, email: ada@example.com}
postal_address: 1 High Street, Paris
timezone: Europe/Paris
currency: EUR
topics: {news: {title: News, subscribed: true}}
segments: {awake: {when: "count('message.clicked') > 1"}}
webhooks: {shop: {url: "https://shop.example/codes"}}
""",
    "sale/journey.yaml": """
journey: sale
title: A sale
starts_on: sale_began
key: sale
ends_on: {enters: awake}
goal:
  event: offer.redeemed
  where: >-
    event.journey == 'sale' and event.step == 'coupon' and event.order == 'o-1' and event.code and
    event.amount == 12.5 and event.currency == 'EUR' and event.percent is none and
    not event.free_shipping
ends_at: start + 9 days
topic: news
steps:
  - {send: coupon, at: start + 1 day, offer: {amount: 12.5, valid: 3 days, code_from: shop}}
  - id: looked
    send: bare
    after_event:
      event: message.clicked
      where: >-
        event.url == 'https://shop.example/?a=1&b=2' and event.message == 'coupon' and
        event.kind == 'clicked' and event.channel == 'email' and event.topic == 'news'
  - {id: idle, send: bare, at: start + 4 days at best hour, when: not clicked('coupon')}
  - {id: late, send: bare, at: start + 8 days}
""".replace("    at best hour: x\n", ""),
    "sale/coupon/subject.txt": "{{ offer.code }}",
    "sale/coupon/email.html": """<p>{{ offer.code }} <a href="https://shop.example/?a=1&amp;b=2">Shop</a>
<a href="https://shop.example/more">More</a> <a href="{{ links.unsubscribe }}">Leave</a></p>""",
    "sale/bare/subject.txt": "Bare",
    "sale/bare/email.html": '<p>No more. <a href="{{ links.unsubscribe }}">Leave</a></p>',
    "sale/scenarios.yaml": """
scenarios:
  - scenario: Looks, and looks at the rest, which is enough
    customer: {email: ada@example.com}
    starts: 2026-11-23 09:00
    with: {sale: winter}
    happens:
      - {after: 2 days, click: coupon, with: {url: "https://shop.example/?a=1&b=2"}}
      - {after: 5 days, click: coupon, with: {url: "https://shop.example/more"}}
    gets:
      - {at: 1 day, sent: coupon}
      - {at: 2 days, sent: looked}
      - {at: 2026-11-27 10:00, not_sent: idle, reason: condition}
      - {at: 5 days, enrollment: exited}
  - scenario: Of two sales one coupon is used
    customer: {email: bob@example.com}
    starts: 2026-11-23 09:00
    with: {sale: winter}
    happens:
      - {after: 1 hour, track: sale_began, with: {sale: spring}}
      - {after: 2 days, redeem: coupon, key: winter, with: {order: o-1}}
      - {after: 3 days, redeem: coupon, key: winter, with: {order: o-1}}
    gets:
      - {at: 1 day, sent: coupon}
      - {at: 25 hours, sent: coupon}
      - {at: 2 days, enrollment: converted}
      - {at: 2 days, enrollment: converted}
""",
}


START = datetime(2026, 11, 23, 8, tzinfo=UTC)  # 09:00 in Paris
DAY = timedelta(days=1)
ADA: dict[str, Any] = {
    "customer_id": "looks-and-looks-at-the-rest-which-is-enough",
    "journey": "sale",
    "message_id": "reaction",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedJourneys:
    root: Path = tmp_path_factory.mktemp("journeys")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_journeys(root)


@pytest.mark.parametrize("place", [0, 1])
async def test_what_comes_of_clicks_and_coupons_is_the_same(
    loaded: LoadedJourneys, place: int
) -> None:
    journey = loaded.journeys["sale"]
    scenario = journey.scenarios[place]
    real = await rehearse(journey, loaded.policy, scenario.calls, scenario.until)
    assert told(real) == expected(scenario)
    assert real == play(journey, loaded.policy, scenario.calls, scenario.until)


def _told_of_ada(loaded: LoadedJourneys, *reactions: Reaction) -> list[Played]:
    """The sale begins, and then these."""
    who, began = loaded.journeys["sale"].scenarios[0].calls[:2]
    return [who, began, *reactions]


def _use(after: timedelta, order: str) -> UseCoupon:
    return UseCoupon(**ADA, at=START + after, step="coupon", order=order)


async def test_a_coupon_is_used_for_one_order_only(loaded: LoadedJourneys) -> None:
    used = _use(2 * DAY, "o-2"), _use(3 * DAY, "o-3")
    calls = _told_of_ada(loaded, *used)
    with pytest.raises(CannotReact, match="the coupon of `coupon` was used before"):
        play(loaded.journeys["sale"], loaded.policy, calls, None)
    with pytest.raises(CannotReact, match="`coupon`: the coupon was used before"):
        await rehearse(loaded.journeys["sale"], loaded.policy, calls)


@pytest.mark.parametrize(
    ("after", "step", "url", "why"),
    [
        (9 * DAY, "late", None, "no link in the message of `late` can be followed"),
        (2 * DAY, "coupon", "https://shop.example/", "leads to https://shop.example/"),
    ],
)
async def test_only_a_link_that_is_in_the_mail_can_be_followed(
    loaded: LoadedJourneys, after: timedelta, step: str, url: str | None, why: str
) -> None:
    calls = _told_of_ada(loaded, FollowLink(**ADA, at=START + after, step=step, url=url))
    with pytest.raises(CannotReact, match=why):
        await rehearse(loaded.journeys["sale"], loaded.policy, calls)
