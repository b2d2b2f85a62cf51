"""Letters and postcards by Lob (docs.lob.com).

It honours `Idempotency-Key`, of at most 256 characters, for 24 hours
(support.lob.com, "What can I do to prevent duplicate mailings from being created?"). The
surprising fact: with a live key every success is printed and paid for; with a test key
(`test_…`) nothing is.
"""

import base64
import textwrap
from datetime import timedelta

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, Letter, Refused
from engine.policy import LetterKind
from engine.postal import PostalAddress

# An hour less than the 24 it promises, for requests on their way and clocks that differ.
_REMEMBERS = timedelta(hours=23)

_REFUSING = frozenset({400, 413, 422})

# Codes of a 422 that say what our account lacks: the letter goes out once that is mended.
_ABOUT_THE_ACCOUNT = frozenset(
    {
        "billing_address_required",
        "email_required",
        "feature_limit_reached",
        "foreign_return_address",
        "invalid_international_feature",
        "payment_method_unverified",
    }
)
# The post does not know the address, or there is more of it than an envelope holds.
_BAD_ADDRESS = frozenset({"failed_deliverability_strictness", "address_length_exceeds_limit"})

# Of a name, and of each of two lines of a street (docs.lob.com, "Addresses").
_LONGEST_NAME = 40
_LONGEST_LINE = 64

# The side of a postcard that has the address on it, and otherwise nothing.
_BLANK = "<html><body></body></html>"


class LobProvider:
    """Sends by `POST /v1/letters` or `/v1/postcards`."""

    name = "lob"

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        remembers_keys_for: timedelta = _REMEMBERS,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.remembers_keys_for: timedelta | None = remembers_keys_for
        credentials = base64.b64encode(f"{api_key}:".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        self._api = HttpApi(base_url, headers, limit=limit, transport=transport)

    async def send(self, letter: Letter) -> Accepted | Refused:
        """Hand the letter over. Raises NotTaken or Ambiguous."""
        path, body = _request(letter)
        answer = await self._api.post(path, body, {"Idempotency-Key": letter.key})
        if is_taken(answer, refusing=_REFUSING):
            return Accepted(provider_message_id=_id(answer))
        code = _code(answer)
        if code in _ABOUT_THE_ACCOUNT:
            raise answer.not_taken()
        return Refused(answer.said, bad_address=code in _BAD_ADDRESS)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()


def _request(letter: Letter) -> tuple[str, dict[str, object]]:
    common: dict[str, object] = {
        "to": _address(letter.recipient),
        "from": _address(letter.sender),
        "use_type": "operational" if letter.transactional else "marketing",
    }
    match letter.kind:
        case LetterKind.LETTER:
            return "/v1/letters", {**common, "file": letter.html, "color": True}
        case LetterKind.POSTCARD:
            return "/v1/postcards", {**common, "front": letter.html, "back": _BLANK}


def _address(address: PostalAddress) -> dict[str, str]:
    """In Lob's fields; a long street is laid out on two lines, a long name is cut."""
    lines = [part for line in address.lines for part in textwrap.wrap(line, _LONGEST_LINE)]
    fields = {
        "name": textwrap.shorten(address.name, _LONGEST_NAME, placeholder="…"),
        "address_line1": lines[0],
        "address_city": address.city,
        "address_country": address.country,
    }
    optional = {
        "address_line2": ", ".join(lines[1:]),
        "address_state": address.region or "",
        "address_zip": address.postcode or "",
    }
    return fields | {name: value for name, value in optional.items() if value}


def _code(answer: Answer) -> object:
    error = answer.fields().get("error")
    return error.get("code") if isinstance(error, dict) else None


def _id(answer: Answer) -> str | None:
    """Lob's own id of the letter; that it can't be read takes nothing from the 2xx."""
    found = answer.fields().get("id")
    return found if isinstance(found, str) else None
