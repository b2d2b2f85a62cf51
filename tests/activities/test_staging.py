"""Outside production a message goes to those who may get it, to one for all, or to nobody."""

from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from activities.deliver import deliver
from activities.desk import Attempt, Trouble
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import NotTaken
from activities.staging import PRODUCTION, Staging
from engine.enrollment import Outcome, Settled
from engine.gate import Go
from engine.reasons import Decision, Reason
from engine.recipients import is_listed
from store import mailbox
from store.database import Database
from tests.activities.given import DAY, NOW, FakeProvider, Office, open_office

SENT = Settled(decision=Decision.SENT, channel="email", message="tip")
NOT_ALLOWED = Settled(decision=Decision.NOT_SENT, reason=Reason.NOT_ALLOWED)
TEAM = Staging(allowed=(), redirect_email="team@acme.example", label="[staging]")
LISTED = Staging(allowed=("*@acme.example",), label="[staging]")
NOBODY = Staging(allowed=("bo@acme.example",), label="[staging]")


async def delivered(office: Office, staging: Staging, order: object = None) -> Outcome:
    desk = replace(office.desk, staging=staging)
    return await deliver(desk, Attempt(office.order(), NOW))


async def test_one_address_stands_in_for_everybody_and_the_row_keeps_whose_it_was(
    db: Database,
) -> None:
    office = await open_office(db)
    assert await delivered(office, TEAM) == SENT
    (mail,) = office.provider.given
    assert (mail.recipient, mail.subject) == ("team@acme.example", "[staging] A tip for Ann")
    read = message_from_bytes(mail.raw, policy=policy.default)
    assert (read["To"], read["Subject"]) == ("team@acme.example", "[staging] A tip for Ann")
    assert b"ann@acme.example" not in mail.raw
    row = await office.row()
    assert (row.address, row.intended_address) == ("team@acme.example", "ann@acme.example")


async def test_who_is_on_the_list_gets_their_own(db: Database) -> None:
    office = await open_office(db)
    assert await delivered(office, LISTED) == SENT
    assert office.provider.given[0].recipient == "ann@acme.example"
    assert (await office.row()).intended_address is None


async def test_who_is_not_on_the_list_gets_nothing_and_that_is_told(db: Database) -> None:
    office = await open_office(db)
    assert await delivered(office, NOBODY) == NOT_ALLOWED
    assert office.provider.given == []
    assert (await office.row()).reason is Reason.NOT_ALLOWED


async def test_production_changes_nothing(db: Database) -> None:
    office = await open_office(db)
    assert await delivered(office, PRODUCTION) == SENT
    assert office.provider.given[0].subject == "A tip for Ann"


async def test_the_mailbox_needs_no_list(db: Database) -> None:
    office = await open_office(db, MailboxProvider(db, lambda: NOW))
    assert await delivered(office, Staging(allowed=(), label="[dev]")) == SENT
    async with db.reading() as session:
        (mail,) = await mailbox.newest(session)
    assert (mail.recipient, mail.subject) == ("ann@acme.example", "[dev] A tip for Ann")


async def test_a_message_that_was_redirected_is_tried_again_as_it_was(db: Database) -> None:
    office = await open_office(db, FakeProvider(answers=[NotTaken("away")]))
    with pytest.raises(Trouble):
        await delivered(office, TEAM)
    assert await delivered(office, TEAM) == SENT
    first, second = office.provider.given
    assert first == second


async def test_too_late_for_somebody_who_is_not_on_the_list_it_was_not_allowed(
    db: Database,
) -> None:
    office = await open_office(db)
    desk = replace(office.desk, staging=NOBODY)
    assert await deliver(desk, Attempt(office.order(), NOW + 2 * DAY)) == NOT_ALLOWED


@pytest.mark.parametrize(
    ("channel", "address", "listed"),
    [
        ("email", "Ann@Acme.example", True),
        ("email", "bo@team.example", True),
        ("email", "bo@evil-team.example", False),
        ("email", "bo@other.example", False),
        ("sms", "+33612345678", True),
        ("sms", "+33612345679", False),
        ("webhook", "https://hooks.acme.example/x?y=1", True),
        ("webhook", "https://hooks.acme.example.evil.example/", False),
        ("post", "1 Main Street", False),
    ],
)
def test_a_list_names_addresses_domains_numbers_and_hosts(
    channel: str, address: str, listed: bool
) -> None:
    allowed = ("ann@acme.example", "*@team.example", "+33612345678", "hooks.acme.example")
    assert is_listed(allowed, channel, address) is listed


@pytest.mark.parametrize("channel", ["post", "webhook", "sms"])
def test_what_no_address_stands_in_for_does_not_go_out(channel: str) -> None:
    go = Go(message="tip", channel=channel, address="https://hooks.acme.example/", topic="news")
    assert TEAM.placed(go, "fake") == NOT_ALLOWED
    listed = replace(TEAM, allowed=("hooks.acme.example", "post"))
    assert (listed.placed(go, "fake") == go) is (channel != "sms")


def test_traits_are_set_anywhere() -> None:
    go = Go(message="set", channel="traits", address="c1", topic=None)
    assert NOBODY.placed(go, "") == go
