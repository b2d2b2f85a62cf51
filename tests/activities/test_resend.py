"""Resend's API: what we ask, and what we read in its answers beside their status."""

from datetime import timedelta

import pytest

from activities.providers.outcome import Accepted
from activities.providers.resend import ResendProvider
from tests.activities.mails import MAIL, outcome_of
from tests.activities.playing import Played, answering


def resend(api: Played) -> ResendProvider:
    return ResendProvider("re_secret", "https://api.resend.example", transport=api)


async def test_an_address_that_resend_finds_invalid_is_suppressed() -> None:
    body = {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."}
    assert await outcome_of(resend(answering(422, json=body))) == "refused, address suppressed"
    body["message"] = "Invalid `from` field."
    assert await outcome_of(resend(answering(422, json=body))) == "refused"


async def test_the_request_is_the_finished_mail_with_its_key() -> None:
    api = answering(200, json={"id": "e-1"})
    assert await resend(api).send(MAIL) == Accepted("e-1")
    (request,) = api.asked
    assert request.url.path == "/emails"
    assert request.headers["Authorization"] == "Bearer re_secret"
    assert request.headers["Idempotency-Key"] == MAIL.key
    assert api.body == {
        "from": '"Ann, of Acme" <ann@acme.example>',
        "to": ["bob@reader.example"],
        "subject": "Ça va ?",
        "reply_to": "support@acme.example",
        "text": "Hello\n",
        "html": "<p>Hello</p>\n",
        "headers": {
            "Message-ID": "<abc.parcours@acme.example>",
            "List-Unsubscribe": "<https://acme.example/u/x>",
        },
    }


async def test_a_repeated_request_is_the_same_to_the_byte() -> None:
    api = answering(200, json={"id": "e-1"})
    provider = resend(api)
    await provider.send(MAIL)
    await provider.send(MAIL)
    first, second = api.asked
    assert first.content == second.content


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"id": 7}'])
async def test_a_success_that_can_not_be_read_is_a_success(body: bytes) -> None:
    assert await resend(answering(200, content=body)).send(MAIL) == Accepted(None)


def test_a_key_is_trusted_for_less_than_resend_keeps_it() -> None:
    remembers = resend(answering(200)).remembers_keys_for
    assert remembers is not None
    assert remembers < timedelta(hours=24)
