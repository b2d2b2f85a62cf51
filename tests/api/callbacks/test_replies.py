"""STOP, START and HELP by text message."""

import pytest

from api.callbacks.stop_words import Reply, meaning_of
from store import consents
from store.tables import Consent, ConsentState
from tests.api.callbacks.conftest import PHONE, Office
from tests.api.callbacks.speaking import twilio
from tests.api.given import A_DAY


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("STOP", Reply.STOP),
        (" stop. ", Reply.STOP),
        ("Arrêt", Reply.STOP),
        ("ARRET!", Reply.STOP),
        ("Désabonner", Reply.STOP),
        ("opt-out", Reply.STOP),
        ("Abmelden", Reply.STOP),
        ("BAJA", Reply.STOP),
        ("sair", Reply.STOP),
        ("START", Reply.START),
        ("reprendre", Reply.START),
        ("Começar", Reply.START),
        ("aide", Reply.HELP),
        ("INFO", Reply.HELP),
        ("don't stop", None),
        ("stop it please", None),
        ("", None),
        ("👍", None),
        ("x" * 1000, None),
    ],
)
def test_a_word_alone_means_what_it_says(text: str, reply: Reply | None) -> None:
    assert meaning_of(text) is reply


async def answered(office: Office, text: str, number: str, **more: str) -> str:
    said = twilio("inbound", MessageSid=number, From=PHONE, Body=text, **more)
    answer = await said.to(office.client)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    return answer.text


async def test_stop_ends_it_for_the_number_and_says_so_in_their_language(office: Office) -> None:
    assert "ne recevrez plus de SMS" in await answered(office, "Arrêt", "SM2")
    assert await office.is_suppressed("sms", PHONE)
    [left] = await office.ledger()
    assert (left.channel, left.topic, left.state) == ("sms", None, ConsentState.UNSUBSCRIBED)
    assert (left.source, left.wording) == ("sms-reply", "Arrêt")


async def test_start_brings_back_what_they_had_and_nothing_else(office: Office) -> None:
    async with office.services.database.transaction() as session:
        await consents.append(
            session,
            Consent(
                customer_id="c1",
                topic="news",
                channel=None,
                state=ConsentState.SUBSCRIBED,
                source="api",
                at=A_DAY,
            ),
        )
    await answered(office, "STOP", "SM2")
    assert "vous recevrez" in await answered(office, "START", "SM3")
    assert not await office.is_suppressed("sms", PHONE)
    said = await office.ledger()
    async with office.services.database.reading() as session:
        assert await consents.consent_state(session, "c1", "sms", "news") is ConsentState.SUBSCRIBED
    back = {each.topic for each in said if each.source == "sms-reply" and each.topic is not None}
    assert "news" in back
    assert "offers" not in back


async def test_a_start_without_a_stop_subscribes_to_nothing(office: Office) -> None:
    await answered(office, "START", "SM2")
    assert await office.ledger() == []


async def test_an_old_stop_told_again_does_not_undo_a_start(office: Office) -> None:
    await answered(office, "STOP", "SM2")
    await answered(office, "START", "SM3")
    await answered(office, "STOP", "SM2")
    assert not await office.is_suppressed("sms", PHONE)


async def test_help_says_who_writes(office: Office) -> None:
    answer = await answered(office, "HELP", "SM2")
    assert "STOP" in answer
    assert "@" in answer
    assert not await office.is_suppressed("sms", PHONE)


async def test_where_twilio_answered_already_nobody_answers_again(office: Office) -> None:
    assert "<Message>" not in await answered(office, "Stop please!", "SM2", OptOutType="STOP")
    assert await office.is_suppressed("sms", PHONE)


async def test_any_other_answer_does_nothing(office: Office) -> None:
    assert "<Message>" not in await answered(office, "Merci beaucoup", "SM2")
    assert await office.ledger() == []
