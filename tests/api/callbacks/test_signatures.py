"""Who is believed: the provider, over exactly these bytes, lately; nobody else."""

import base64
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.callbacks import lob as lob_file
from api.callbacks import sendgrid as sendgrid_file
from api.callbacks import twilio as twilio_file
from api.callbacks.report import NotFromProviderError
from api.services import Services
from tests.api.callbacks.conftest import PHONE, Office, key_of
from tests.api.callbacks.speaking import (
    SETTINGS,
    Said,
    lob,
    postmark,
    resend,
    sendgrid,
    ses,
    sns,
    twilio,
)
from tests.api.given import A_DAY, load_settings


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """One database will do: nothing here is about what is kept."""
    path = tmp_path / "store.db"
    shutil.copy(request.getfixturevalue("migrated_file"), path)
    return f"sqlite+aiosqlite:///{path}"


GENUINE: list[Callable[[], Said]] = [
    lambda: postmark("Delivery"),
    lambda: sendgrid({"event": "delivered", "sg_event_id": "1"}),
    lambda: ses("Delivery", key_of("ses")),
    lambda: resend("email.delivered"),
    lambda: twilio("status", MessageSid="SM1", MessageStatus="delivered"),
    lambda: twilio("inbound", MessageSid="SM2", From=PHONE, Body="STOP"),
    lambda: lob("letter.delivered", key_of("card")),
]
FORGERIES = 1_000_000


@pytest.mark.parametrize("say", GENUINE)
async def test_without_or_with_another_signature_nobody_is_believed(
    office: Office, say: Callable[[], Said]
) -> None:
    said = say()
    assert (await said.to(office.client)).status_code == 200
    assert (
        await said.to(office.client, headers={})
    ).status_code == 401 or said.path == "/callbacks/ses"
    for name in said.headers:
        if name == "Content-Type":
            continue
        altered = {**said.headers, name: said.headers[name][:-2] + "zz"}
        assert (await said.to(office.client, headers=altered)).status_code == 401


@pytest.mark.parametrize("say", [say for say in GENUINE if say().path != "/callbacks/postmark"])
async def test_a_byte_more_or_another_is_another_message(
    office: Office, say: Callable[[], Said]
) -> None:
    said = say()
    more = replace(said, body=said.body.replace(b"1", b"2", 1))
    assert more.body != said.body
    assert (await more.to(office.client)).status_code == 401


ALTERED: list[dict[str, str]] = [
    {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/c.pem"},
    {"SigningCertURL": "https://evil.example/sns.eu-west-1.amazonaws.com"},
    {"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/c.pem"},
    {"SigningCertURL": "https://user@sns.eu-west-1.amazonaws.com/c.pem"},
    {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com:8443/c.pem"},
    {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com:x/c.pem"},
    {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:mail"},
    {"SignatureVersion": "3"},
]


async def test_sns_is_believed_by_amazons_own_certificate_for_our_topic_only(
    office: Office,
) -> None:
    for change in ALTERED:
        assert (await sns("{}", **change).to(office.client)).status_code == 401, change
    assert office.asked == []


async def test_a_provider_nobody_set_up_may_report_nothing(services: Services) -> None:
    bare = Services(database=services.database, settings=load_settings(str(services.database.url)))
    transport = httpx.ASGITransport(app=create_app(bare))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
        for say in GENUINE:
            answer = await say().to(client)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_set_up")


NONSENSE = (
    b"",
    b"[",
    b"[" * 100_000,
    b'"x"',
    b"{}",
    b"[1]",
    b"\xff",
    b'{"RecordType": 3}',
    b"[{}]",
)


async def test_signed_nonsense_is_refused_and_breaks_nothing(office: Office) -> None:
    for body in NONSENSE:
        answer = await replace(postmark("Delivery"), body=body).to(office.client)
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_report"), body


async def test_an_old_recording_is_not_believed(office: Office) -> None:
    old = A_DAY - timedelta(hours=2)
    event = {"event": "delivered", "sg_event_id": "1"}
    assert (await sendgrid(event, at=old).to(office.client)).status_code == 401
    assert (await lob("letter.delivered", None, at=old).to(office.client)).status_code == 401


def believed(tries: int) -> int:
    """How many altered signatures or bodies were believed."""
    chance, count = random.Random(7), 0
    of_twilio = twilio("status", MessageSid="SM1", MessageStatus="delivered")
    of_lob = lob("letter.delivered", None)
    fields = twilio_file.fields_of(of_twilio.body)
    url = str(SETTINGS["public_url"]) + of_twilio.path
    for n in range(tries):
        noise = base64.b64encode(chance.randbytes(20)).decode()
        try:
            if n % 2:
                twilio_file.check(noise, url, fields, str(SETTINGS["twilio_auth_token"]))
            else:
                headers = {**of_lob.headers, "Lob-Signature": chance.randbytes(32).hex()}
                lob_file.check(headers, of_lob.body, "lob-secret", A_DAY)
            count += 1
        except NotFromProviderError:
            pass
    return count


def test_no_forged_signature_is_believed() -> None:
    assert believed(FORGERIES // 500) == 0


@pytest.mark.long
def test_no_forged_signature_of_a_million_is_believed() -> None:
    assert believed(FORGERIES) == 0


def test_the_forger_would_be_caught() -> None:
    """The control: the genuine ones are believed."""
    of_lob = lob("letter.delivered", None)
    lob_file.check(of_lob.headers, of_lob.body, "lob-secret", A_DAY)
    said = sendgrid({"event": "delivered"})
    sendgrid_file.check(said.headers, said.body, str(SETTINGS["sendgrid_callback_key"]), A_DAY)
