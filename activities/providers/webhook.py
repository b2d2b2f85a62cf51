"""Calls of the app's own webhooks, signed by Standard Webhooks (standardwebhooks.com).

The same `webhook-id` goes with every attempt, by which the specification has receivers know a
repeat; so a call whose answer is lost is made again. The surprising fact: an error of the
receiver's does not settle it. A bug of the app that answers 400 today is mended tomorrow, and
meanwhile the call must not be lost; only 410 Gone says that nobody wants it any more.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import httpx

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, HookCall, NotTaken, Refused
from activities.providers.pinned import PinnedTransport
from engine.keys import hook_id

_GONE = 410

# How long receivers are asked to remember an id: docs/providers.md says so to whoever writes one.
_REMEMBERS = timedelta(hours=24)


class WebhookProvider:
    """Calls by `POST`. `secrets` are by the webhook's name; `now` is the real time."""

    name = "webhook"

    def __init__(
        self,
        secrets: Mapping[str, bytes],
        now: Callable[[], datetime],
        *,
        allow_private: bool = False,
        remembers_keys_for: timedelta = _REMEMBERS,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.remembers_keys_for: timedelta | None = remembers_keys_for
        self._secrets = secrets
        self._now = now
        pinned = transport or PinnedTransport(allow_private=allow_private)
        self._api = HttpApi("", {"User-Agent": "Parcours"}, limit=limit, transport=pinned)

    async def send(self, call: HookCall) -> Accepted | Refused:
        """Make the call. Raises NotTaken or Ambiguous."""
        answer = await self._call(call)
        if answer.status == _GONE:
            return Refused(answer.said)
        taken = is_taken(answer, refusing=())
        assert taken  # it raises for whatever is not a success
        return Accepted()

    async def ask(self, call: HookCall) -> object:
        """The JSON object in the answer, or an empty one. Raises NotTaken or Ambiguous."""
        answer = await self._call(call)
        is_taken(answer, refusing=())
        return answer.fields()

    async def _call(self, call: HookCall) -> Answer:
        secret = self._secrets.get(call.hook)
        if secret is None:
            raise NotTaken(f"no secret is set for the webhook `{call.hook}`")
        headers = _signed(hook_id(call.key), int(self._now().timestamp()), call.body, secret)
        return await self._api.post_bytes(call.url, call.body, headers)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()


def secret_key(text: str) -> bytes:
    """The key in a secret as Standard Webhooks writes it: `whsec_` and base64."""
    return base64.b64decode(text.removeprefix("whsec_"))


def _signed(call_id: str, timestamp: int, body: bytes, secret: bytes) -> dict[str, str]:
    content = b".".join((call_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": call_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
