"""`parcours send-test` sends one message to oneself, and nothing else comes of it."""

import asyncio
import json
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from store import audit, mailbox, messages
from store.database import Database
from store.tables import AuditEntry, MailboxMail
from tests.cli.running import Ran, parcours_here
from tests.cli.test_enrollments import url

__all__ = ["url"]


def send(url: str, *arguments: str | Path) -> Ran:
    return parcours_here("send-test", *arguments, PARCOURS_DATABASE_URL=url)


async def left(url: str) -> tuple[list[MailboxMail], list[AuditEntry]]:
    """The mails that were sent, newest first, and the audit log; nothing was decided."""
    database = Database(url)
    async with database.reading() as session:
        listed, entries = await mailbox.newest(session), await audit.newest(session)
        mails = [await mailbox.get(session, mail.id or 0) for mail in listed]
        assert await messages.of_customer(session, "ada") == []
    await database.dispose()
    return [mail for mail in mails if mail is not None], entries


def test_it_is_worded_as_a_customer_would_get_it_and_says_that_it_is_a_test(
    url: str,
    tmp_path: Path,
) -> None:
    person = tmp_path / "person.json"
    person.write_text(json.dumps({"first_name": "Zoë", "timezone": "Europe/Paris"}))
    ran = send(url, "tip", "--to", "me@example.com", "--customer", person)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "trial-onboarding/tip is sent to me@example.com by mailbox\n"
    ((mail,), (entry,)) = asyncio.run(left(url))
    assert (mail.recipient, mail.subject[:7]) == ("me@example.com", "[test] ")
    read = message_from_bytes(mail.raw, policy=policy.default)
    html = read.get_body(("html",))
    assert html is not None
    assert "Zoë" in html.get_content()
    assert (entry.action, entry.details["message"]) == ("send-test", "tip")


def test_its_link_to_unsubscribe_is_nobodys(url: str) -> None:
    """Even if it is worded with the data of somebody who is real."""
    assert send(url, "tip", "--to", "me@example.com", "--customer-id", "ada").code == 0
    ((mail,), (entry,)) = asyncio.run(left(url))
    links = message_from_bytes(mail.raw, policy=policy.default)["List-Unsubscribe"]
    assert links == "<http://127.0.0.1:8080/u/this-is-a-test>"
    assert (mail.customer_id, entry.customer_id) == ("ada", "ada")


def test_without_a_customer_it_is_the_first_scenarios(url: str) -> None:
    for locale in ("en", "fr"):
        ran = send(url, "trial-onboarding/thanks", "--to", "me@example.com", "--locale", locale)
        assert (ran.code, ran.err) == (0, "")
    french, english = asyncio.run(left(url))[0]
    assert french.subject != english.subject


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("tipp", "--to", "me@example.com"), "there is no message `tipp`; there are"),
        (("tip", "--to", "me"), "`me` is no e-mail address"),
        (("tip", "--to", "+33612345678"), "`tip` can't go by sms"),
        (("tip", "--to", "me@example.com", "--customer-id", "bo"), "there is no customer `bo`"),
        (("tip", "--to", "me@example.com", "--customer", "README.md"), "README.md:"),
    ],
)
def test_what_can_not_be_sent_is_told_and_nothing_is(
    url: str,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    ran = send(url, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert asyncio.run(left(url))[0] == []
