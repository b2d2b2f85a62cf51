"""Lob's API, played by a handler: what we ask, and what we make of every answer."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from activities.providers.lob import LobProvider
from activities.providers.outcome import Accepted
from engine.policy import LetterKind
from tests.activities.documented import Line, documented
from tests.activities.parcels import BOB, LETTER, outcome_of

Handler = Callable[[httpx.Request], httpx.Response]


def lob(handler: Handler) -> LobProvider:
    transport = httpx.MockTransport(handler)
    return LobProvider("test_key", "https://api.lob.example", transport=transport)


def answering(says: str) -> Handler:
    """`422 email_required`: the status, and the code in the body."""

    def answer(request: httpx.Request) -> httpx.Response:
        if says == "no connection":
            raise httpx.ConnectError("refused", request=request)
        if says == "no answer":
            raise httpx.ReadTimeout("too late", request=request)
        status, _, code = says.partition(" ")
        error = {"message": "bob's address", "code": code or "bad_request"}
        return httpx.Response(int(status), json={"error": error})

    return answer


@pytest.mark.parametrize("line", documented("Lob"), ids=str)
async def test_every_answer_means_what_the_page_says(line: Line) -> None:
    assert await outcome_of(lob(answering(line.says)), LETTER) == line.outcome


def test_the_page_tells_of_every_kind_of_answer() -> None:
    assert {line.outcome for line in documented("Lob")} == {
        "accepted",
        "refused",
        "refused, address suppressed",
        "not taken",
        "ambiguous",
    }


async def sent(letter: Any) -> tuple[httpx.Request, dict[str, Any]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "ltr_1"})

    assert await lob(answer).send(letter) == Accepted("ltr_1")
    return asked[0], json.loads(asked[0].content)


async def test_a_letter_is_its_page_and_two_addresses() -> None:
    request, body = await sent(LETTER)
    assert request.url.path == "/v1/letters"
    assert request.headers["Idempotency-Key"] == LETTER.key
    assert httpx.BasicAuth("test_key", "")._auth_header == request.headers["Authorization"]
    assert body == {
        "to": {
            "name": "Bob Reader",
            "address_line1": "12 Rue Neuve",
            "address_line2": "Bât. C",
            "address_city": "Lyon",
            "address_zip": "69005",
            "address_country": "FR",
        },
        "from": {
            "name": "Atelier",
            "address_line1": "1 Main St",
            "address_city": "Reno",
            "address_state": "NV",
            "address_country": "US",
        },
        "use_type": "marketing",
        "file": "<p>Hi</p>",
        "color": True,
    }


async def test_a_postcard_has_the_page_on_its_front() -> None:
    card = replace(LETTER, kind=LetterKind.POSTCARD, transactional=True)
    request, body = await sent(card)
    assert request.url.path == "/v1/postcards"
    assert body["front"] == "<p>Hi</p>"
    assert "Hi" not in body["back"]
    assert body["use_type"] == "operational"


async def test_long_names_and_streets_are_laid_out_to_what_lob_takes() -> None:
    somebody = BOB.model_copy(update={"name": "Bob " * 20, "street": "Rue Neuve " * 10})
    _, body = await sent(replace(LETTER, recipient=somebody))
    assert 30 < len(body["to"]["name"]) <= 40
    lines = [body["to"]["address_line1"], body["to"]["address_line2"]]
    assert all(len(line) <= 64 for line in lines)
    assert " ".join(lines) == somebody.street.strip()


def test_a_key_is_trusted_for_less_than_lob_keeps_it() -> None:
    remembers = lob(answering("200")).remembers_keys_for
    assert remembers is not None
    assert remembers < timedelta(hours=24)
