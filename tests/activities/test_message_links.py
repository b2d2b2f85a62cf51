"""The links that a message may speak of, and the headers that a marketing mail has."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

import pytest

from engine.definition import Journey
from rendering.links import Confirm, Preferences, Unsubscribe
from store.database import Database
from tests.activities.given import LINKS, journey, open_office

SPOKEN = {
    "subject.txt": "Links",
    "email.html": "<p>x</p>",
    "email.txt": "{% for name in ['unsubscribe', 'preferences', 'confirm'] %}"
    "{{ name }}={{ links[name] | default('none') }}\n{% endfor %}",
}


async def sent(db: Database, what: Journey, **enrollment: Any) -> EmailMessage:
    office = await open_office(db, what=what, texts={"tip": SPOKEN}, **enrollment)
    await office.deliver()
    (mail,) = office.provider.given
    parsed = BytesParser(policy=default).parsebytes(mail.raw)
    assert isinstance(parsed, EmailMessage)
    return parsed


def spoken(mail: EmailMessage) -> dict[str, str]:
    text = mail.get_body(("plain",))
    assert text is not None
    lines = text.get_content().split()
    return dict(line.split("=", 1) for line in lines)


async def test_a_marketing_mail_has_both_headers_of_one_click_and_both_links(
    db: Database,
) -> None:
    mail = await sent(db, journey())
    leave = LINKS.url(Unsubscribe("c1", "onboarding"))
    assert mail["List-Unsubscribe"] == f"<{leave}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    links = spoken(mail)
    assert links == {
        "unsubscribe": leave,
        "preferences": LINKS.url(Preferences("c1")),
        "confirm": "none",
    }


async def test_a_transactional_mail_has_neither_header_and_may_show_preferences(
    db: Database,
) -> None:
    mail = await sent(db, journey(topic=None, transactional=True))
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None
    links = spoken(mail)
    assert links["unsubscribe"] == "none"
    assert links["preferences"] == LINKS.url(Preferences("c1"))


@pytest.mark.parametrize("channel", [None, "email"])
async def test_who_asked_to_subscribe_gets_the_link_that_confirms_just_that(
    db: Database, channel: str | None
) -> None:
    what = journey(topic=None, transactional=True, starts_on="consent.requested")
    mail = await sent(db, what, start_properties={"topic": "news", "channel": channel})
    assert spoken(mail)["confirm"] == LINKS.url(Confirm("c1", "news", channel))


@pytest.mark.parametrize(
    "properties",
    [
        {"topic": "no such topic", "channel": None},
        {"topic": None, "channel": None},
        {"topic": "news", "channel": ["email"]},
        {"topic": "news", "channel": "carrier pigeon"},
        {"topic": {"news": 1}},
    ],
)
async def test_an_event_about_no_topic_of_ours_makes_no_link_to_confirm(
    db: Database, properties: dict[str, Any]
) -> None:
    mail = await sent(db, journey(), start_properties=properties)
    assert spoken(mail)["confirm"] == "none"
