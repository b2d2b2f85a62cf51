"""What the claim stores of a parcel is all that is needed to send it, at every attempt."""

import pytest

from activities.packing import pack, unpack
from activities.providers.outcome import HookCall, Letter, Parcel, Sms
from engine.policy import LetterKind
from engine.postal import PostalAddress
from store.tables import Message
from tests.activities.given import NOW
from tests.activities.mails import MAIL

ADA = PostalAddress(
    name="Ada Lovelace", street="12 Rue Neuve\nBât. C", city="Lyon", postcode="69005", country="FR"
)
SHOP = PostalAddress(name="Atelier", street="1 Main St", city="Paris", country="FR")
PARCELS: dict[str, Parcel] = {
    "email": MAIL,
    "sms": Sms("k", "+33700000000", "+33612345678", "Ça va ? 👋", "c1"),
    "post": Letter("k", LetterKind.POSTCARD, SHOP, ADA, "<p>Ça va ?</p>", True, "c1"),
    "webhook": HookCall("k", "crm", "https://crm.example/hook", b'{"a":1}', True, "c1"),
}


def row(channel: str, parcel: Parcel) -> Message:
    packed = pack(parcel)
    return Message(
        key=parcel.key,
        enrollment_id="trial:c1",
        customer_id=parcel.customer_id,
        journey="trial",
        step="tip",
        occurrence="start",
        channel=channel,
        message="crm",
        transactional=True,
        decided_at=NOW,
        address=packed.address,
        sender=packed.sender,
        subject=packed.subject,
        body=packed.body,
    )


@pytest.mark.parametrize("channel", PARCELS)
def test_what_was_stored_is_what_is_sent(channel: str) -> None:
    parcel = PARCELS[channel]
    assert unpack(row(channel, parcel)) == parcel


@pytest.mark.parametrize("sender", [None, "Atelier"])
def test_a_text_message_may_leave_its_sender_to_the_provider(sender: str | None) -> None:
    parcel = Sms("k", sender, "+33612345678", "Hello", "c1")
    assert unpack(row("sms", parcel)) == parcel


def test_a_letter_is_known_by_its_address_on_one_line() -> None:
    assert pack(PARCELS["post"]).address == "12 Rue Neuve, Bât. C, 69005 Lyon, FR"


def test_a_channel_that_nothing_is_claimed_for_is_no_guess() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        unpack(row("pigeon", MAIL))
