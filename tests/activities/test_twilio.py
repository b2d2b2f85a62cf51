"""Twilio's API, played by a handler: what we ask, and what we make of every answer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from activities.providers.outcome import Accepted, NotTaken
from activities.providers.twilio import TwilioProvider
from tests.activities.documented import Line, documented
from tests.activities.parcels import SMS, outcome_of

Handler = Callable[[httpx.Request], httpx.Response]
SERVICE = "MG" + "0" * 32


def twilio(handler: Handler, *, sender: str = "+15550001111") -> TwilioProvider:
    return TwilioProvider(
        "AC1",
        "token",
        sender,
        "https://api.twilio.example",
        status_url="https://parcours.example/callbacks/twilio/status",
        transport=httpx.MockTransport(handler),
    )


def answering(says: str) -> Handler:
    """`400 21211`: the status, and the code in the body."""

    def answer(request: httpx.Request) -> httpx.Response:
        if says == "no connection":
            raise httpx.ConnectError("refused", request=request)
        if says == "no answer":
            raise httpx.ReadTimeout("too late", request=request)
        status, _, code = says.partition(" ")
        body = {"code": int(code or 0), "message": "To bob's number"}
        return httpx.Response(int(status), json=body)

    return answer


@pytest.mark.parametrize("line", documented("Twilio"), ids=str)
async def test_every_answer_means_what_the_page_says(line: Line) -> None:
    assert await outcome_of(twilio(answering(line.says)), SMS) == line.outcome


def test_the_page_tells_of_every_kind_of_answer() -> None:
    assert {line.outcome for line in documented("Twilio")} == {
        "accepted",
        "refused",
        "refused, address suppressed",
        "not taken",
        "ambiguous",
    }


async def test_the_request_is_the_message_and_where_to_tell_of_it() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(201, json={"sid": "SM1", "status": "queued"})

    assert await twilio(answer).send(SMS) == Accepted("SM1")
    [request] = asked
    assert request.url.path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert httpx.BasicAuth("AC1", "token")._auth_header == request.headers["Authorization"]
    assert parse_qs(request.content.decode()) == {
        "To": ["+33612345678"],
        "From": ["+15550001111"],
        "Body": ["Ça va, bob ?"],
        "StatusCallback": ["https://parcours.example/callbacks/twilio/status"],
    }


@pytest.mark.parametrize(
    ("own", "usual", "field", "value"),
    [
        (None, SERVICE, "MessagingServiceSid", SERVICE),
        ("Atelier", SERVICE, "From", "Atelier"),
        (SERVICE, "+15550001111", "MessagingServiceSid", SERVICE),
    ],
)
async def test_the_policys_sender_comes_before_the_settings(
    own: str | None, usual: str, field: str, value: str
) -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(parse_qs(request.content.decode()))
        return httpx.Response(201, json={})

    assert await twilio(answer, sender=usual).send(replace(SMS, sender=own)) == Accepted(None)
    assert asked[0][field] == [value]
    assert len({"From", "MessagingServiceSid"} & asked[0].keys()) == 1


async def test_it_waits_as_long_as_twilio_says() -> None:
    slow = httpx.Response(429, headers={"Retry-After": "7"}, json={"code": 20429})
    with pytest.raises(NotTaken) as trouble:
        await twilio(lambda request: slow).send(SMS)
    assert trouble.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"sid": 7}'])
async def test_a_success_that_can_not_be_read_is_a_success(body: bytes) -> None:
    provider = twilio(lambda request: httpx.Response(201, content=body))
    assert await provider.send(SMS) == Accepted(None)


def test_it_claims_to_know_no_keys() -> None:
    assert TwilioProvider.remembers_keys_for is None
