"""Somebody about whom every table knows something, to be erased."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.accept import accept
from api.broadcasting.asked import Asked
from api.broadcasting.orders import Broadcasting
from api.services import Services
from api.taking import Said
from engine.calls import Alias, ChangeConsent, Group
from engine.keys import anonymous_customer, message_key
from engine.reasons import Decision
from store import audit, delivery_events, mailbox, messages, offers
from store.tables import AuditEntry, DeliveryEvent, MailboxMail, Message, Offer, RefusedCall
from tests.api.given import A_DAY, DAY, HOUR, identify, publish, take, track, trial
from tests.store.given import policy

ANN, FORMERLY, DEVICE = "cust-ann-42", "lead-ann-7", anonymous_customer("device-ann-1")
EMAIL, PHONE, BIRTHDAY = "Ann.Ashe@example.com", "+33 6 12 34 56 78", "1990-05-17"

# Everything that says who she is, or what only she did.
WORDS = (
    ANN,
    FORMERLY,
    DEVICE,
    "Annabel",
    EMAIL,
    PHONE,
    BIRTHDAY,
    "basket-ann",
    "her-own-search",
    "ann-event",
    "coupon-of-ann",
    "order-of-ann",
    "provider-ann",
    "agreed-by-ann",
    "support-about-ann",
)


@dataclass(frozen=True)
class Her:
    """Ids of her enrollments, and the keys of her messages: sent, being sent, not yet handed."""

    trial: str
    basket: str
    sent: str
    under_way: str
    waiting: str


async def everywhere(services: Services) -> Her:
    """Ann in every table, and a colleague who ended her trial."""
    of_company = {"event": "subscription_purchased", "of": "company"}
    await publish(
        services.database,
        trial(goal=of_company),
        trial(
            journey="basket",
            starts_on="cart_left",
            key="cart",
            ends_on=["trial_cancelled"],
            goal=(),
        ),
        rules=policy(traits={"searched_for": {"last": "searched", "of": "for"}}),
    )
    await take(
        services,
        track("app_opened", customer=DEVICE, message_id="ann-event-0"),
        identify(customer=FORMERLY, phone=PHONE),
    )
    said = Said(wording="agreed-by-ann", basis="consent")
    consent = ChangeConsent(
        customer_id=ANN,
        at=A_DAY,
        message_id="ann-event-1",
        topic="news",
        channel=None,
        subscribed=True,
    )
    traits: dict[str, Any] = {
        "name": "Annabel",
        "email": EMAIL,
        "birthday": BIRTHDAY,
        "trial_ends_at": "2027-01-09",
    }
    known = replace(identify(customer=ANN, **traits), formerly=(DEVICE,), timezone="Europe/Paris")
    alias = Alias(customer_id=ANN, at=A_DAY, message_id="ann-event-2", formerly=(FORMERLY,))
    await take(services, known, alias)
    await accept(services, [consent], A_DAY, said)
    await take(
        services,
        Group(customer_id=ANN, at=A_DAY, message_id="ann-event-3", company_id="acme", traits={}),
        Group(customer_id="bob", at=A_DAY, message_id="bob-0", company_id="acme", traits={}),
        track("trial_started", customer=ANN, message_id="ann-event-4"),
        track(
            "cart_left", customer=ANN, message_id="ann-event-5", properties={"cart": "basket-ann"}
        ),
        track("searched", customer=ANN, properties={"for": "her-own-search"}),
    )
    bought = track("subscription_purchased", A_DAY + HOUR, "bob", message_id="bob-1")
    await take(services, bought)
    her = Her(
        trial=f"trial:{ANN}",
        basket=f"basket:{ANN}:basket-ann",
        sent=message_key(f"trial:{ANN}", "thanks", "start"),
        under_way=message_key(f"basket:{ANN}:basket-ann", "coupon", BIRTHDAY),
        waiting=message_key(f"basket:{ANN}:basket-ann", "thanks", "start"),
    )
    await _messages(services, her)
    await _about_her(services, her)
    audience = f"customer.email == '{EMAIL}' or customer.phone == '{PHONE}' or customer.vip"
    await Broadcasting(services, "key:support").start(Asked("sale", event="x", audience=audience))
    return her


async def _messages(services: Services, her: Her) -> None:
    async with services.database.transaction() as session:
        for row in _rows(her):
            assert await messages.claim(session, row)
            offer = Offer(
                code=f"coupon-of-ann-{row.step}-{row.enrollment_id}",
                customer_id=ANN,
                enrollment_id=row.enrollment_id,
                journey=row.journey,
                step=row.step,
                valid_until_at=A_DAY + 5 * DAY,
                message_key=row.key,
                redeemed_for=f"order-of-ann-{row.step}",
            )
            await offers.issue(session, offer)
        for kind in ("delivered", "clicked"):
            clicked = DeliveryEvent(
                provider_event_id=f"provider-ann-{kind}",
                message_key=her.sent,
                customer_id=ANN,
                kind=kind,
                at=A_DAY,
                received_at=A_DAY,
                provider="resend",
                details={"to": EMAIL},
            )
            await delivery_events.record(session, clicked)
        mail = MailboxMail(
            key=her.sent,
            at=A_DAY,
            sender="rep@acme.example",
            recipient=EMAIL,
            subject="Annabel",
            raw=b"Dear Annabel",
            customer_id=ANN,
            headers={"To": EMAIL},
        )
        await mailbox.put(session, mail)


def _rows(her: Her) -> Sequence[Message]:
    def row(key: str, enrollment: str, step: str, occurrence: str, **more: Any) -> Message:
        given: dict[str, Any] = {
            "key": key,
            "enrollment_id": enrollment,
            "customer_id": ANN,
            "journey": enrollment.partition(":")[0],
            "step": step,
            "occurrence": occurrence,
            "channel": "email",
            "topic": "onboarding",
            "address": EMAIL,
            "intended_address": EMAIL,
            "sender": "rep-of-annabel@acme.example",
            "subject": "Annabel",
            "body": b"Dear Annabel",
            "decided_at": A_DAY,
            "due_at": A_DAY,
            "zone": "Europe/Paris",
            "provider": "resend",
        }
        return Message(**{**given, **more})

    return (
        row(
            her.sent,
            her.trial,
            "thanks",
            "start",
            decision=Decision.SENT,
            sent_at=A_DAY,
            provider_message_id="provider-ann-1",
            last_error=f"greylisted {EMAIL}",
            claimed_at=A_DAY,
            first_claimed_at=A_DAY,
        ),
        row(
            her.under_way, her.basket, "coupon", BIRTHDAY, claimed_at=A_DAY, first_claimed_at=A_DAY
        ),
        row(her.waiting, her.basket, "thanks", "start"),
    )


async def _about_her(services: Services, her: Her) -> None:
    async with services.database.transaction() as session:
        noted: Sequence[dict[str, Any]] = (
            {"customer_id": ANN, "action": "subscribe", "details": {"why": "support-about-ann"}},
            {"enrollment_id": her.trial, "action": 'exit "support-about-ann"', "details": {}},
        )
        for given in noted:
            await audit.record(session, AuditEntry(at=A_DAY, actor="key:support", **given))
        refused: Sequence[dict[str, Any]] = (
            {"customer_id": ANN, "payload": '{"type": "track"}'},
            {"customer_id": "device-ann-1", "payload": "{}"},
            {"payload": f'{{"traits": {{"email": "{EMAIL.lower()}"}}}}'},
            {"payload": f'{{"previousId": "{FORMERLY}"}}'},
        )
        for given in refused:
            session.add(RefusedCall(received_at=A_DAY, code="no_event_name", message="x", **given))
        session.add(
            RefusedCall(
                received_at=A_DAY, code="x", message="x", customer_id="bob", payload='{"a": 42}'
            )
        )
