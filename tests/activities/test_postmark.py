"""Postmark's API: what we ask, what its error codes mean, and how a message is looked up."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from activities.providers.outcome import Accepted, ProviderTrouble
from activities.providers.postmark import PostmarkProvider
from tests.activities.documented import Line, documented
from tests.activities.mails import MAIL, outcome_of
from tests.activities.playing import Played, answering

LONG_KEY = "trial:c1:" + "k" * 150 + "/tip/start"


def postmark(api: Played) -> PostmarkProvider:
    return PostmarkProvider("secret", "broadcast", "https://api.postmark.example", transport=api)


@pytest.mark.parametrize("line", documented("Postmark"), ids=str)
async def test_every_error_code_means_what_the_page_says(line: Line) -> None:
    body = {"ErrorCode": int(line.says), "Message": line.example}
    assert await outcome_of(postmark(answering(422, json=body))) == line.outcome


async def test_maintenance_has_sent_nothing_whatever_its_status() -> None:
    body = {"ErrorCode": 100, "Message": "Maintenance"}
    assert await outcome_of(postmark(answering(503, json=body))) == "not taken"
    assert await outcome_of(postmark(answering(503, json={}))) == "ambiguous"


async def test_the_request_is_the_finished_mail_with_its_key() -> None:
    api = answering(200, json={"ErrorCode": 0, "Message": "OK", "MessageID": "m-1"})
    assert await postmark(api).send(MAIL) == Accepted("m-1")
    (request,) = api.asked
    assert (request.method, request.url.path) == ("POST", "/email")
    assert request.headers["X-Postmark-Server-Token"] == "secret"
    assert api.body == {
        "From": '"Ann, of Acme" <ann@acme.example>',
        "To": "bob@reader.example",
        "Subject": "Ça va ?",
        "ReplyTo": "support@acme.example",
        "TextBody": "Hello\n",
        "HtmlBody": "<p>Hello</p>\n",
        "Headers": [
            {"Name": "Message-ID", "Value": "<abc.parcours@acme.example>"},
            {"Name": "List-Unsubscribe", "Value": "<https://acme.example/u/x>"},
            {"Name": "X-PM-KeepID", "Value": "true"},
        ],
        "Metadata": {"message-key": "trial:c1/tip/start"},
        "MessageStream": "broadcast",
        "TrackOpens": False,
        "TrackLinks": "None",
    }


async def test_a_long_key_goes_along_in_pieces_that_postmark_takes() -> None:
    api = answering(200, json={})
    await postmark(api).send(replace(MAIL, key=LONG_KEY))
    metadata = api.body["Metadata"]
    assert "".join(metadata.values()) == LONG_KEY
    assert list(metadata) == ["message-key", "message-key-2", "message-key-3"]
    assert max(map(len, metadata.values())) == 80


def listing(*metadata: Any) -> Played:
    messages = [{"MessageID": f"m-{n}", "Metadata": each} for n, each in enumerate(metadata)]
    return answering(200, json={"TotalCount": len(messages), "Messages": messages})


async def test_a_message_is_found_by_the_key_that_it_was_sent_with() -> None:
    api = listing({"message-key": "trial:c1/tip/other"}, {"message-key": MAIL.key, "else": "1"})
    assert await postmark(api).find(MAIL) == Accepted("m-1")
    (request,) = api.asked
    assert (request.method, request.url.path) == ("GET", "/messages/outbound")
    assert dict(request.url.params) == {
        "count": "500",
        "offset": "0",
        "messagestream": "broadcast",
        "recipient": "bob@reader.example",
        "metadata_message-key": "trial:c1/tip/start",
    }


async def test_the_beginning_of_a_key_is_not_the_key() -> None:
    begins = {"message-key": LONG_KEY[:80], "message-key-2": LONG_KEY[80:160]}
    mail = replace(MAIL, key=LONG_KEY)
    assert await postmark(listing(begins)).find(mail) is None
    whole = {**begins, "message-key-3": LONG_KEY[160:]}
    assert await postmark(listing(begins, whole)).find(mail) == Accepted("m-1")


@pytest.mark.parametrize("body", [b"[]", b"no json", b'{"Messages": [1, {"Metadata": null}]}'])
async def test_a_list_that_can_not_be_read_finds_nothing(body: bytes) -> None:
    assert await postmark(answering(200, content=body)).find(MAIL) is None


@pytest.mark.parametrize("status", [401, 404, 422, 429, 500, 503])
async def test_a_search_that_fails_says_nothing(status: int) -> None:
    with pytest.raises(ProviderTrouble):
        await postmark(answering(status, json={"Messages": []})).find(MAIL)


async def test_a_search_that_breaks_off_says_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("broke off")

    with pytest.raises(ProviderTrouble):
        await postmark(Played(answer)).find(MAIL)
