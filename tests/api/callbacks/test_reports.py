"""What providers report: each in its own words, and what follows from it."""

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.callbacks.lob import read as read_lob
from api.callbacks.postmark import read as read_postmark
from api.callbacks.report import Report, ReportKind
from api.callbacks.resend import read as read_resend
from api.callbacks.sendgrid import read as read_sendgrid
from api.callbacks.ses import read as read_ses
from api.callbacks.taking import take_report
from api.callbacks.twilio import fields_of, read_status
from engine.delivery_status import DeliveryStatus
from engine.reasons import Decision
from store import messages
from tests.api.callbacks.conftest import EMAIL, IDS, PHONE, Office, key_of, sent
from tests.api.callbacks.speaking import (
    CERTIFICATE,
    Said,
    lob,
    postmark,
    resend,
    sendgrid,
    ses,
    sns,
    twilio,
)
from tests.api.given import A_DAY, DAY, HOUR, identify, kept_events, outbox, take
from tests.store.given import clicks_by_hour

D = DeliveryStatus
K = ReportKind
HARD: dict[str, Any] = {"Type": "HardBounce", "ID": 1}

# What each provider says, of which message, and what that means.
SAYINGS: list[tuple[Callable[[], Said], str, ReportKind | None]] = [
    (lambda: postmark("Delivery"), "thanks", K.DELIVERED),
    (lambda: postmark("Bounce", **HARD), "thanks", K.BOUNCED),
    (lambda: postmark("Bounce", Type="SoftBounce", ID=2), "thanks", K.SOFT_BOUNCED),
    (lambda: postmark("Bounce", Type="SpamNotification", ID=2), "thanks", K.COMPLAINED),
    (lambda: postmark("Bounce", Type="AutoResponder", ID=3), "thanks", None),
    (lambda: postmark("SpamComplaint", ID=4), "thanks", K.COMPLAINED),
    (lambda: postmark("Open"), "thanks", K.OPENED),
    (lambda: postmark("Click", OriginalLink="https://a.example"), "thanks", K.CLICKED),
    (lambda: postmark("SubscriptionChange", SuppressSending=False), "thanks", K.RESUBSCRIBED),
    (
        lambda: postmark(
            "SubscriptionChange", SuppressSending=True, SuppressionReason="HardBounce"
        ),
        "thanks",
        None,
    ),
    (lambda: sendgrid(a("deferred")), "tip", K.DELAYED),
    (lambda: sendgrid(a("delivered")), "tip", K.DELIVERED),
    (lambda: sendgrid(a("bounce")), "tip", K.BOUNCED),
    (lambda: sendgrid(a("bounce", type="blocked")), "tip", K.SOFT_BOUNCED),
    (lambda: sendgrid(a("dropped", reason="Bounced Address")), "tip", K.BOUNCED),
    (lambda: sendgrid(a("dropped", reason="Invalid SMTPAPI header")), "tip", K.FAILED),
    (lambda: sendgrid(a("dropped", reason="Invalid")), "tip", K.INVALID_ADDRESS),
    (lambda: sendgrid(a("dropped", reason="Too late")), "tip", K.FAILED),
    (lambda: sendgrid(a("spamreport")), "tip", K.COMPLAINED),
    (lambda: sendgrid(a("group_unsubscribe")), "tip", K.UNSUBSCRIBED),
    (lambda: sendgrid(a("click", url="https://a.example")), "tip", K.CLICKED),
    (lambda: sendgrid(a("processed")), "tip", None),
    (lambda: ses("Delivery", key_of("ses")), "ses", K.DELIVERED),
    (lambda: ses("Bounce", None, bounceType="Permanent"), "ses", K.BOUNCED),
    (lambda: ses("Bounce", None, bounceType="Transient"), "ses", K.SOFT_BOUNCED),
    (lambda: ses("Complaint", key_of("ses")), "ses", K.COMPLAINED),
    (lambda: ses("Reject", key_of("ses"), reason="Bad content"), "ses", K.FAILED),
    (lambda: ses("DeliveryDelay", key_of("ses")), "ses", K.DELAYED),
    (lambda: ses("Subscription", key_of("ses")), "ses", K.UNSUBSCRIBED),
    (lambda: ses("Send", key_of("ses")), "ses", None),
    (lambda: resend("email.delivered"), "resend", K.DELIVERED),
    (lambda: resend("email.bounced", bounce={"type": "Permanent"}), "resend", K.BOUNCED),
    (lambda: resend("email.bounced", bounce={"type": "Transient"}), "resend", K.SOFT_BOUNCED),
    (lambda: resend("email.complained"), "resend", K.COMPLAINED),
    (lambda: resend("email.sent"), "resend", None),
    (lambda: texted("delivered"), "text", K.DELIVERED),
    (lambda: texted("undelivered", ErrorCode="30005"), "text", K.INVALID_ADDRESS),
    (lambda: texted("undelivered", ErrorCode="30003"), "text", K.SOFT_BOUNCED),
    (lambda: texted("failed", ErrorCode="21610"), "text", K.UNSUBSCRIBED),
    (lambda: texted("failed", ErrorCode="30008"), "text", K.FAILED),
    (lambda: texted("sent"), "text", None),
    (lambda: lob("letter.mailed", key_of("card")), "card", K.ON_ITS_WAY),
    (lambda: lob("postcard.delivered", None), "card", K.DELIVERED),
    (lambda: lob("letter.returned_to_sender", key_of("card")), "card", K.BOUNCED),
    (lambda: lob("letter.rendered_pdf", key_of("card")), "card", None),
]


def a(event: str, **more: Any) -> dict[str, Any]:
    """An event of SendGrid's."""
    return {"event": event, "sg_event_id": event, **more}


def texted(status: str, **more: str) -> Said:
    return twilio("status", MessageSid="SM1", MessageStatus=status, To=PHONE, **more)


def understood(said: Said) -> list[Report]:
    """What the file of that provider makes of it."""
    match said.path.removeprefix("/callbacks/"):
        case "postmark":
            return read_postmark(said.body)
        case "sendgrid":
            return read_sendgrid(said.body)
        case "ses":
            return read_ses(json.loads(said.body))
        case "resend":
            return read_resend(said.headers, said.body)
        case "lob":
            return read_lob(said.body)
        case path:
            assert path == "twilio/status"
            return read_status(fields_of(said.body), A_DAY)


@pytest.mark.parametrize(("say", "step", "kind"), SAYINGS)
def test_each_saying_of_each_provider_is_understood(
    say: Callable[[], Said], step: str, kind: ReportKind | None
) -> None:
    reports = understood(say())
    assert [report.kind for report in reports] == ([] if kind is None else [kind])
    for report in reports:
        assert report.at == A_DAY
        assert report.provider_message_id == IDS[report.provider]
        assert report.message_key in (None, key_of(step))


# What becomes of the message, and whether its address is written to no more.
FOLLOWS: dict[ReportKind, tuple[DeliveryStatus | None, bool]] = {
    K.DELAYED: (D.DELAYED, False),
    K.ON_ITS_WAY: (D.ON_ITS_WAY, False),
    K.DELIVERED: (D.DELIVERED, False),
    K.FAILED: (D.FAILED, False),
    K.SOFT_BOUNCED: (D.BOUNCED, False),
    K.BOUNCED: (D.BOUNCED, True),
    K.INVALID_ADDRESS: (D.BOUNCED, True),
    K.COMPLAINED: (D.COMPLAINED, True),
    K.UNSUBSCRIBED: (None, False),
    K.RESUBSCRIBED: (None, False),
    K.OPENED: (D.DELIVERED, False),
    K.CLICKED: (D.DELIVERED, False),
}


async def test_what_follows_from_each_kind_of_report_follows_once(office: Office) -> None:
    assert set(FOLLOWS) == set(ReportKind)
    for kind, (status, suppresses) in FOLLOWS.items():
        report = Report(
            provider="sendgrid",
            id=kind.value,
            kind=kind,
            at=A_DAY,
            channel="email",
            message_key=key_of(kind.value),
        )
        address = f"{kind.value}@example.com"
        async with office.services.database.transaction() as session:
            assert await messages.claim(session, sent(kind.value, "email", "sendgrid", address))
        for _ in range(3):
            await take_report(office.services, report)
        assert await office.status(kind.value) == status, kind
        assert len(await office.told(kind.value)) == 1, kind
        assert await office.is_suppressed("email", address) is suppresses, kind


async def test_reports_in_any_order_leave_the_same(office: Office) -> None:
    kinds = [K.DELAYED, K.DELIVERED, K.OPENED, K.COMPLAINED]
    for number, order in enumerate(permutations(kinds)):
        step = f"order-{number}"
        async with office.services.database.transaction() as session:
            assert await messages.claim(session, sent(step, "email", "sendgrid", EMAIL))
        for kind in order:
            report = Report(
                provider="sendgrid",
                id=f"{step}:{kind}",
                kind=kind,
                at=A_DAY,
                channel="email",
                message_key=key_of(step),
            )
            await take_report(office.services, report)
        assert await office.status(step) is D.COMPLAINED
        assert len(await office.told(step)) == 4


async def test_a_delivery_after_a_bounce_does_not_take_it_back(office: Office) -> None:
    await postmark("Bounce", **HARD).to(office.client)
    await postmark("Delivery").to(office.client)
    assert await office.status() is D.BOUNCED


async def test_one_request_of_many_reports_is_taken_whole(office: Office) -> None:
    said = sendgrid(
        {"event": "delivered", "sg_event_id": "1"},
        {"event": "delivered", "sg_event_id": "2", "message-key": key_of("thanks")},
        {"event": "delivered", "sg_event_id": "3", "message-key": key_of("ses")},
    )
    assert (await said.to(office.client)).status_code == 200
    assert [await office.status(s) for s in ("tip", "thanks", "ses")] == [D.DELIVERED] * 3


async def test_a_report_that_overtakes_our_own_note_is_asked_for_again(office: Office) -> None:
    said = sendgrid(
        {"event": "delivered", "sg_event_id": "1", "sg_message_id": "not-noted-yet"},
        {"event": "delivered", "sg_event_id": "2"},
    )
    answer = await said.to(office.client)
    assert (answer.status_code, answer.json()["code"]) == (503, "message_not_yet_known")
    assert answer.headers["Retry-After"] == "10"
    assert await office.status("tip") is D.DELIVERED  # the other was taken


async def test_what_is_nobodys_message_is_news_about_the_address_alone(office: Office) -> None:
    old = A_DAY - DAY
    said = postmark("Bounce", at=old, MessageID="of another program", Email="eve@x.example", **HARD)
    assert (await said.to(office.client)).status_code == 200
    assert await office.is_suppressed("email", "eve@x.example")
    assert await office.told() == []


async def test_an_id_of_another_provider_names_nothing(office: Office) -> None:
    event = {"event": "delivered", "sg_event_id": "1", "sg_message_id": "pm-1", "timestamp": 1}
    assert (await sendgrid(event).to(office.client)).status_code == 200
    assert await office.status() is None


async def test_soft_bounces_on_three_days_give_an_address_up(office: Office) -> None:
    for day in range(2):
        for hour in range(3):
            at = A_DAY + day * DAY + timedelta(hours=hour)
            said = postmark("Bounce", at=at, Type="SoftBounce", ID=10 * day + hour)
            await said.to(office.client)
    assert not await office.is_suppressed("email", EMAIL)
    await postmark("Bounce", at=A_DAY + 2 * DAY, Type="SoftBounce", ID=99).to(office.client)
    assert await office.is_suppressed("email", EMAIL)


async def test_a_delivery_in_between_shows_that_somebody_is_there(office: Office) -> None:
    for day in range(2):
        said = postmark("Bounce", at=A_DAY + day * DAY, Type="SoftBounce", ID=day + 1)
        await said.to(office.client)
    await postmark("Delivery", at=A_DAY + timedelta(days=1, hours=1)).to(office.client)
    await postmark("Bounce", at=A_DAY + 2 * DAY, Type="SoftBounce", ID=9).to(office.client)
    assert not await office.is_suppressed("email", EMAIL)


async def test_a_bounce_and_a_click_wake_the_steps_that_wait_for_them(office: Office) -> None:
    await postmark("Bounce", Type="SoftBounce", ID=1).to(office.client)
    await postmark("Click", OriginalLink="https://a.example").to(office.client)
    fired = [
        row.payload["fires"]
        for row in await outbox(office.services.database)
        if "fires" in row.payload
    ]
    assert [list(each) for each in fired] == [["sorry"], ["good"]]


async def test_deliveries_that_no_journey_waits_on_are_no_events(office: Office) -> None:
    await postmark("Delivery").to(office.client)
    await postmark("Open").to(office.client)
    names = {event.name for event in await kept_events(office.services.database)}
    assert not {"message.delivered", "message.opened"} & names


async def test_a_machines_open_is_kept_and_counts_for_nothing(office: Office) -> None:
    said = sendgrid({"event": "open", "sg_event_id": "1", "sg_machine_open": True})
    await said.to(office.client)
    [told] = await office.told("tip")
    assert told.is_machine
    assert await office.status("tip") is None


async def test_leaving_by_the_providers_list_is_leaving(office: Office) -> None:
    said = postmark(
        "SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression"
    )
    await said.to(office.client)
    [left] = await office.ledger()
    assert (left.channel, left.topic, left.state) == ("email", None, "unsubscribed")
    assert (left.source, left.actor) == ("postmark", "postmark")


async def test_an_address_the_provider_frees_is_free_if_its_report_had_bound_it(
    office: Office,
) -> None:
    await postmark("Bounce", **HARD).to(office.client)
    await postmark("SubscriptionChange", SuppressSending=False).to(office.client)
    assert not await office.is_suppressed("email", EMAIL)
    await sendgrid({"event": "spamreport", "sg_event_id": "1"}).to(office.client)
    await postmark("SubscriptionChange", at=A_DAY + DAY, SuppressSending=False).to(office.client)
    assert await office.is_suppressed("email", EMAIL)


async def test_an_unknown_message_that_was_delivered_was_sent(office: Office) -> None:
    async with office.services.database.transaction() as session:
        row = await messages.get_by_key(session, key_of("thanks"))
        assert row is not None
        row.decision = Decision.UNKNOWN
    await postmark("Delivery", Metadata={"message-key": key_of("thanks")}).to(office.client)
    assert (await office.message()).decision is Decision.SENT


async def test_a_subscription_of_sns_confirms_itself_at_amazon_only(office: Office) -> None:
    there = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
    said = sns("You have chosen …", Type="SubscriptionConfirmation", SubscribeURL=there, Token="t")
    assert (await said.to(office.client)).status_code == 200
    assert office.asked == [CERTIFICATE, there]
    elsewhere = sns(
        "x", Type="SubscriptionConfirmation", SubscribeURL="https://evil.example/", Token="t"
    )
    assert (await elsewhere.to(office.client)).status_code == 401
    assert office.asked == [CERTIFICATE, there]


@pytest.mark.parametrize("zone", ["Europe/Paris", "Asia/Tokyo"])
async def test_a_readers_click_counts_once_for_the_hour_that_it_is_where_they_are(
    office: Office, zone: str
) -> None:
    services = office.services
    await take(services, identify(email=EMAIL, timezone=zone))
    readers, machines = (
        [
            Report(
                id=f"{who}{number}",
                kind=K.CLICKED,
                at=A_DAY + number * HOUR,
                provider="postmark",
                channel="email",
                message_key=key_of("thanks"),
                is_machine=who == "m",
            )
            for number in range(2)
        ]
        for who in "rm"
    )
    for report in (*readers, *machines, *readers):
        services.wall.pass_(HOUR)  # type: ignore[attr-defined]
        await take_report(services, report)
    first = A_DAY.astimezone(ZoneInfo(zone)).hour
    async with services.database.reading() as session:
        assert await clicks_by_hour(session) == {first: 1, first + 1: 1}
