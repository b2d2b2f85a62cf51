"""SendGrid's API: what we ask, and which field it finds fault with."""

import pytest

from activities.providers.outcome import Accepted
from activities.providers.sendgrid import SendGridProvider
from tests.activities.documented import Line, documented
from tests.activities.mails import MAIL, outcome_of
from tests.activities.playing import Played, answering


def sendgrid(api: Played) -> SendGridProvider:
    return SendGridProvider("SG.secret", "https://api.sendgrid.example", transport=api)


@pytest.mark.parametrize("line", documented("SendGrid"), ids=str)
async def test_every_fault_means_what_the_page_says(line: Line) -> None:
    body = {"errors": [{"message": line.example, "field": line.says, "help": None}]}
    assert await outcome_of(sendgrid(answering(400, json=body))) == line.outcome


@pytest.mark.parametrize("body", [b"", b"[]", b'{"errors": 1}', b'{"errors": ["x"]}'])
async def test_a_refusal_that_can_not_be_read_suppresses_nobody(body: bytes) -> None:
    assert await outcome_of(sendgrid(answering(400, content=body))) == "refused"


async def test_the_request_is_the_finished_mail_with_its_key() -> None:
    api = answering(202, headers={"X-Message-Id": "14c5d75ce93"})
    assert await sendgrid(api).send(MAIL) == Accepted("14c5d75ce93")
    (request,) = api.asked
    assert (request.method, request.url.path) == ("POST", "/v3/mail/send")
    assert request.headers["Authorization"] == "Bearer SG.secret"
    tracking = api.body["tracking_settings"]
    assert {name: each["enable"] for name, each in tracking.items()} == {
        "click_tracking": False,
        "open_tracking": False,
        "subscription_tracking": False,
        "ganalytics": False,
    }
    assert {k: v for k, v in api.body.items() if k != "tracking_settings"} == {
        "personalizations": [{"to": [{"email": "bob@reader.example"}]}],
        "from": {"email": "ann@acme.example", "name": "Ann, of Acme"},
        "reply_to": {"email": "support@acme.example"},
        "subject": "Ça va ?",
        "content": [
            {"type": "text/plain", "value": "Hello\n"},
            {"type": "text/html", "value": "<p>Hello</p>\n"},
        ],
        "headers": {
            "Message-ID": "<abc.parcours@acme.example>",
            "List-Unsubscribe": "<https://acme.example/u/x>",
        },
        "custom_args": {"message-key": "trial:c1/tip/start"},
    }


async def test_a_success_without_an_id_is_a_success() -> None:
    assert await sendgrid(answering(202)).send(MAIL) == Accepted(None)
