"""What each channel's provider is given, and the steps that reach no person: `call` and `set`."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from activities.desk import Trouble
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import Ambiguous, HookCall, Letter, Refused, Sms
from engine.enrollment import Over, Settled
from engine.policy import LetterKind
from engine.reasons import Decision, Reason
from rendering.sms import MOST_SEGMENTS, segments
from store import mailbox, suppressions
from store.database import Database
from store.tables import OutboxKind, OutboxRow
from tests.activities.given import (
    DAY,
    NOW,
    TIP,
    FakeProvider,
    Office,
    journey,
    open_office,
    policy,
)

TEXT = {"sms.txt": "Hi {{ customer.name }}", "fr/sms.txt": "Salut {{ customer.name }}"}
CARD = {"card.html": "<p>Dear {{ customer.name }}</p>"}
HOME = {"street": "12 Rue Neuve", "city": "Lyon", "postalCode": "69005", "country": "FR"}
ANN = {"name": "Ann", "email": "ann@acme.example", "phone": "06 12 34 56 78", "address": HOME}
ATELIER = {"name": "Atelier", "street": "1 Main St", "city": "Reno", "country": "US"}
HOOK = {"crm": {"url": "https://crm.example/hook"}}


async def office_for(
    db: Database,
    texts: dict[str, str] | None = None,
    *,
    step: dict[str, Any] | None = None,
    traits: dict[str, Any] | None = None,
    **rules: Any,
) -> Office:
    """An office in which every channel has a provider of its own."""
    office = await open_office(
        db,
        what=journey(step=step or {}),
        rules=policy(**rules),
        texts={"tip": texts or TIP, "coupon": TIP},
        traits=ANN if traits is None else traits,
    )
    carried = {channel: FakeProvider(name=channel) for channel in ("sms", "post", "webhook")}
    return replace(office, others=carried)


def given(office: Office, channel: str) -> list[Any]:
    provider = office.others[channel]
    assert isinstance(provider, FakeProvider)
    return provider.given


def sent(channel: str, message: str = "tip") -> Settled:
    return Settled(decision=Decision.SENT, channel=channel, message=message)


# --- Text messages ------------------------------------------------------------------------


async def test_a_text_message_goes_to_the_number_as_it_is_dialled_from_everywhere(
    db: Database,
) -> None:
    office = await office_for(db, TEXT)
    assert await office.deliver() == sent("sms")
    [sms] = given(office, "sms")
    assert sms == Sms((await office.row()).key, None, "+33612345678", "Hi Ann", "c1")
    assert (await office.row()).address == "+33612345678"


async def test_a_text_message_says_how_to_be_rid_of_it_in_its_own_language(db: Database) -> None:
    stop = {"en": "Reply STOP to end", "fr": "Répondez STOP"}
    office = await office_for(
        db,
        TEXT,
        traits={**ANN, "locale": "fr-CA"},
        sms={"sender": "Atelier", "stop_text": stop},
    )
    await office.deliver()
    [sms] = given(office, "sms")
    assert (sms.sender, sms.text) == ("Atelier", "Salut Ann\nRépondez STOP")


@pytest.mark.parametrize(
    ("text", "step", "expected"),
    [
        ("Hi", {}, "Hi\nReply STOP"),
        ("Hi. reply stop", {}, "Hi. reply stop"),
        ("Hi", {"transactional": True}, "Hi"),
    ],
    ids=["marketing", "has it already", "transactional"],
)
async def test_who_must_be_told_how_to_stop(
    db: Database, text: str, step: dict[str, Any], expected: str
) -> None:
    office = await office_for(
        db, {"sms.txt": text}, step=step, sms={"stop_text": {"en": "Reply STOP"}}
    )
    await office.deliver()
    assert given(office, "sms")[0].text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("é" * 160, 1),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ç" * 70, 1),
        ("ç" * 71, 2),
        ("👋" * 35, 1),
        ("👋" * 36, 2),
        ("a" * 1530, 10),
    ],
)
def test_segments_are_counted_as_networks_do(text: str, expected: int) -> None:
    assert segments(text) == expected


@pytest.mark.parametrize("text", ["a" * 1531, "👋" * 400, "{{ '' }}"])
async def test_a_text_that_is_too_long_or_none_waits_for_somebody_to_mend_it(
    db: Database, text: str
) -> None:
    assert MOST_SEGMENTS == 10
    office = await office_for(db, {"sms.txt": text})
    with pytest.raises(Trouble) as trouble:
        await office.deliver()
    assert trouble.value.reason is Reason.TEMPLATE_ERROR
    assert given(office, "sms") == []


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        ({"name": "Ann"}, Reason.NO_ADDRESS),
        ({"name": "Ann", "phone": "06 12"}, Reason.INVALID_ADDRESS),
        ({"name": "Ann", "phone": "06 12 34 56 78"}, Reason.INVALID_ADDRESS),
    ],
    ids=["none", "no such number", "of no country"],
)
async def test_a_number_that_can_not_be_dialled_is_told(
    db: Database, traits: dict[str, Any], reason: Reason
) -> None:
    office = await office_for(db, TEXT, traits=traits)
    settled = await office.deliver()
    assert settled == Settled(decision=Decision.NOT_SENT, reason=reason)


async def test_a_refused_number_is_suppressed_however_it_is_written(db: Database) -> None:
    office = await office_for(db, {**TEXT, **TIP}, step={"channels": ["sms", "email"]})
    office.others["sms"].answers.append(Refused("400 21610", bad_address=True))  # type: ignore[attr-defined]
    settled = await office.deliver()
    assert settled == Settled(decision=Decision.NOT_SENT, reason=Reason.PROVIDER_REFUSED)
    async with db.reading() as session:
        assert await suppressions.is_suppressed(session, "sms", "+33612345678")
    again = office.order(delivery={"occurrence": "another"})
    await office.traits(phone="+33 6 12 34 56 78")
    assert await office.deliver(again) == sent("email")


async def test_twilio_without_an_answer_is_unknown_and_never_sent_twice(db: Database) -> None:
    office = await office_for(db, TEXT)
    provider = FakeProvider([Ambiguous("no answer")], remembers_keys_for=None, name="twilio")
    office = replace(office, others={"sms": provider})
    unknown = Settled(decision=Decision.UNKNOWN, channel="sms", message="tip")
    assert await office.deliver() == unknown
    assert await office.deliver() == unknown
    assert len(provider.given) == 1


# --- Letters ------------------------------------------------------------------------------


async def test_a_letter_has_its_page_its_sender_and_its_reader(db: Database) -> None:
    post = {"kind": "postcard", "return_address": ATELIER}
    office = await office_for(db, CARD, post=post)
    assert await office.deliver() == sent("post")
    [letter] = given(office, "post")
    assert isinstance(letter, Letter)
    assert (letter.kind, letter.html) == (LetterKind.POSTCARD, "<p>Dear Ann</p>")
    assert (letter.sender.name, letter.recipient.name) == ("Atelier", "Ann")
    assert not letter.transactional
    assert (await office.row()).address == "12 Rue Neuve, 69005 Lyon, FR"


async def test_a_letter_that_is_sent_again_is_the_one_that_was_claimed(db: Database) -> None:
    office = await office_for(db, CARD, post={"return_address": ATELIER})
    office.others["post"].answers.append(Ambiguous("no answer"))  # type: ignore[attr-defined]
    with pytest.raises(Trouble):
        await office.deliver()
    await office.traits(name="Anna", address={**HOME, "street": "1 Rue Haute"})
    assert await office.deliver() == sent("post")
    first, second = given(office, "post")
    assert first == second


@pytest.mark.parametrize("texts", [CARD, {"card.html": "x" * 10_001}, {"card.html": "{{ '' }}"}])
async def test_a_page_without_a_sender_or_of_no_size_waits_for_somebody_to_mend_it(
    db: Database, texts: dict[str, str]
) -> None:
    rules = {} if texts is CARD else {"post": {"return_address": ATELIER}}
    office = await office_for(db, texts, **rules)
    with pytest.raises(Trouble) as trouble:
        await office.deliver()
    assert trouble.value.reason is Reason.TEMPLATE_ERROR


# --- Which channel ------------------------------------------------------------------------


async def test_a_channel_that_nobody_carries_is_passed_over(db: Database) -> None:
    office = await office_for(db, {**TEXT, **TIP}, step={"channels": ["sms", "email"]})
    assert await replace(office, others={}).deliver() == sent("email")


async def test_a_message_that_nobody_carries_waits(db: Database) -> None:
    office = replace(await office_for(db, TEXT), others={})
    with pytest.raises(Trouble, match="nobody is set up to carry sms"):
        await office.deliver()
    late = await office.deliver(after=2 * DAY)
    assert late == Settled(decision=Decision.NOT_SENT, reason=Reason.PROVIDER_DOWN)


async def test_a_customer_is_reached_as_they_like_it_best(db: Database) -> None:
    wish = {**ANN, "preferred_channel": "sms"}
    office = await office_for(db, {**TEXT, **TIP}, traits=wish)
    assert await office.deliver() == sent("sms")


@pytest.mark.parametrize("channel", ["sms", "post", "webhook"])
async def test_the_mailbox_keeps_what_a_provider_would_have_been_given(
    db: Database, channel: str
) -> None:
    step = {"send": None, "call": "crm", "id": "tip"} if channel == "webhook" else {}
    texts = {"sms": TEXT, "post": CARD, "webhook": TIP}[channel]
    rules: dict[str, Any] = {"post": {"return_address": ATELIER}, "webhooks": HOOK}
    office = await office_for(db, texts, step=step, **rules)
    office = replace(office, others={channel: MailboxProvider(db, lambda: NOW)})
    await office.deliver()
    row = await office.row()
    async with db.reading() as session:
        kept = await mailbox.by_key(session, row.key)
    assert kept is not None
    assert mailbox.channel_of(kept) == channel
    assert kept.customer_id == "c1"
    if channel != "post":
        assert kept.raw == row.body


# --- Calls --------------------------------------------------------------------------------

CALL = {"send": None, "call": "crm", "id": "tip"}


async def test_a_call_tells_the_app_who_and_where(db: Database) -> None:
    office = await office_for(db, step=CALL, webhooks=HOOK)
    assert await office.deliver() == sent("webhook", "crm")
    [call] = given(office, "webhook")
    assert isinstance(call, HookCall)
    assert (call.hook, call.url) == ("crm", "https://crm.example/hook")
    assert json.loads(call.body) == {
        "type": "journey.call",
        "call": "crm",
        "journey": "trial",
        "step": "tip",
        "enrollment": "trial:c1",
        "occurrence": "start",
        "customer": {"id": "c1", "traits": ANN},
        "event": {},
        "occurred_at": "2026-11-24T09:00:00+00:00",
    }


async def test_a_call_asks_neither_consent_nor_addresses(db: Database) -> None:
    office = await office_for(db, step=CALL, traits={}, webhooks=HOOK)
    await office.unsubscribe(None)
    assert await office.deliver() == sent("webhook", "crm")


async def test_a_call_whose_answer_was_lost_is_made_again_with_the_same_bytes(
    db: Database,
) -> None:
    office = await office_for(db, step=CALL, webhooks=HOOK)
    office.others["webhook"].answers.append(Ambiguous("no answer"))  # type: ignore[attr-defined]
    with pytest.raises(Trouble):
        await office.deliver()
    await office.traits(name="Anna")
    assert await office.deliver() == sent("webhook", "crm")
    first, second = given(office, "webhook")
    assert first == second


async def test_unsubscribing_does_not_stop_a_call_that_may_be_out(db: Database) -> None:
    office = await office_for(db, step=CALL, webhooks=HOOK)
    office.others["webhook"].answers.append(Ambiguous("no answer"))  # type: ignore[attr-defined]
    with pytest.raises(Trouble):
        await office.deliver()
    await office.unsubscribe(None)
    assert await office.deliver() == sent("webhook", "crm")


# --- Traits -------------------------------------------------------------------------------

SET = {"send": None, "set": {"plan": "gone", "left_at": "2026-12-01"}, "id": "tip"}


async def told(db: Database, kind: OutboxKind = OutboxKind.IDENTIFY) -> list[OutboxRow]:
    async with db.reading() as session:
        return [row for row in await session.scalars(select(OutboxRow)) if row.kind is kind]


async def test_set_is_settled_with_an_identify_that_is_on_its_way_once(db: Database) -> None:
    office = replace(await office_for(db, step=SET), others={})
    assert await office.deliver() == sent("traits")
    assert await office.deliver() == sent("traits")
    [row] = await told(db)
    assert (row.customer_id, row.enrollment_id) == ("c1", "trial:c1")
    assert row.payload == {
        "message_id": (await office.row()).key,
        "at": NOW.isoformat(),
        "traits": SET["set"],
    }


async def test_set_after_an_exit_sets_nothing(db: Database) -> None:
    office = await office_for(db, step=SET)
    await office.exit()
    assert isinstance(await office.deliver(), Over)
    assert await told(db) == []


async def test_set_asks_for_its_condition_like_any_step(db: Database) -> None:
    office = await office_for(db, step={**SET, "when": "customer.plan == 'pro'"})
    assert await office.deliver() == Settled(decision=Decision.NOT_SENT, reason=Reason.CONDITION)
    assert await told(db) == []


async def test_set_past_its_grace_has_expired(db: Database) -> None:
    office = await office_for(db, step=SET)
    expired = Settled(decision=Decision.NOT_SENT, reason=Reason.EXPIRED)
    assert await office.deliver(after=2 * DAY) == expired
    assert await told(db) == []


# --- Consent ------------------------------------------------------------------------------


@pytest.mark.parametrize(("leaves", "topics"), [(True, None), (["onboarding"], ["onboarding"])])
async def test_unsubscribe_is_settled_with_a_word_that_is_on_its_way_once(
    db: Database, leaves: object, topics: object
) -> None:
    step = {"send": None, "unsubscribe": leaves, "id": "tip"}
    office = replace(await office_for(db, step=step), others={})
    for _ in range(2):
        assert await office.deliver() == sent("consent")
    [row] = await told(db, OutboxKind.CONSENT)
    assert row.payload == {
        "message_id": (await office.row()).key,
        "at": NOW.isoformat(),
        "topics": topics,
    }
    assert await told(db) == []


async def test_unsubscribe_after_an_exit_takes_nobody_off(db: Database) -> None:
    office = await office_for(db, step={"send": None, "unsubscribe": True, "id": "tip"})
    await office.exit()
    assert isinstance(await office.deliver(), Over)
    assert await told(db, OutboxKind.CONSENT) == []
