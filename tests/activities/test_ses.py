"""Amazon SES: what we ask and sign, and what the types of its errors mean."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from activities.providers.outcome import Accepted
from activities.providers.ses import SesAccount, SesProvider
from engine.carried_keys import from_plain, key_carried
from tests.activities.documented import Line, documented
from tests.activities.mails import MAIL, RAW, outcome_of
from tests.activities.playing import Played, answering

ACCOUNT = SesAccount("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def ses(api: Played, account: SesAccount = ACCOUNT) -> SesProvider:
    return SesProvider(account, lambda: NOW, transport=api)


@pytest.mark.parametrize("line", documented("Amazon SES"), ids=str)
@pytest.mark.parametrize("place", ["header", "body"])
async def test_every_type_of_error_means_what_the_page_says(line: Line, place: str) -> None:
    where = {"x-amzn-ErrorType": f"{line.says}:http://internal.amazon.com/"}
    body = {"message": line.example}
    if place == "body":
        where, body = {}, {"message": line.example, "__type": f"com.amazonaws.ses#{line.says}"}
    assert await outcome_of(ses(answering(400, json=body, headers=where))) == line.outcome


async def test_the_request_holds_our_finished_bytes_and_the_key() -> None:
    api = answering(200, json={"MessageId": "010f-1"})
    account = replace(ACCOUNT, configuration_set="parcours")
    assert await ses(api, account).send(MAIL) == Accepted("010f-1")
    (request,) = api.asked
    assert str(request.url) == "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
    assert request.method == "POST"
    assert base64.b64decode(api.body["Content"]["Raw"]["Data"]) == RAW
    assert api.body["Destination"] == {"ToAddresses": ["bob@reader.example"]}
    assert api.body["ConfigurationSetName"] == "parcours"
    tags = {tag["Name"]: tag["Value"] for tag in api.body["EmailTags"]}
    assert from_plain(key_carried(tags) or "") == MAIL.key


async def test_the_signature_is_that_of_what_is_sent() -> None:
    """The same request signed by Amazon's own client, botocore 1.44, has this signature."""
    api = answering(200, json={})
    await ses(api).send(MAIL)
    (request,) = api.asked
    assert request.headers["X-Amz-Date"] == "20261124T090000Z"
    assert request.headers["Host"] == "email.eu-west-1.amazonaws.com"
    assert request.headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/ses/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature="
        "8ca6bb16fb7a7e0e0b4047f07e48b3118cf43075cebb6d10f7d5fdf27e8ab525"
    )


async def test_without_a_configuration_set_none_is_named() -> None:
    api = answering(200, json={})
    await ses(api).send(MAIL)
    assert "ConfigurationSetName" not in api.body


async def test_a_private_endpoint_with_a_path_is_signed_as_it_is_asked() -> None:
    api = answering(200, json={})
    await ses(api, replace(ACCOUNT, base_url="http://127.0.0.1:4566/ses")).send(MAIL)
    (request,) = api.asked
    assert str(request.url) == "http://127.0.0.1:4566/ses/v2/email/outbound-emails"
    assert request.headers["Host"] == "127.0.0.1:4566"


def test_an_account_shows_no_secret() -> None:
    assert "wJalr" not in repr(ACCOUNT)
