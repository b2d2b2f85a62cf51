"""Calls of the app's own webhooks, signed by Standard Webhooks (standardwebhooks.com).

The same `webhook-id` goes with every attempt, by which the specification has receivers know a
repeat; so a call whose answer is lost is made again. The surprising fact: an error of the
receiver's does not settle it. A bug of the app that answers 400 today is mended tomorrow, and
meanwhile the call must not be lost; only 410 Gone says that nobody wants it any more.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import httpx
from standardwebhooks import Webhook

from activities.providers.http_api import Answer, HttpApi, is_taken
from activities.providers.outcome import LIMIT, Accepted, HookCall, NotTaken, Refused
from activities.providers.pinned import PinnedTransport
from engine.keys import hook_id

_GONE = 410

# How long receivers are asked to remember an id: docs/providers.md says so to whoever writes one.
_REMEMBERS = timedelta(hours=24)


class WebhookProvider:
    """Calls by `POST`. `secrets` (`whsec_…`) are by the webhook's name; `now` is real, in UTC."""

    name = "webhook"

    def __init__(
        self,
        secrets: Mapping[str, str],
        now: Callable[[], datetime],
        *,
        allow_private: bool = False,
        remembers_keys_for: timedelta = _REMEMBERS,
        limit: timedelta = LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.remembers_keys_for: timedelta | None = remembers_keys_for
        self._signing = {name: Webhook(secret) for name, secret in secrets.items()}
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
        signing = self._signing.get(call.hook)
        if signing is None:
            raise NotTaken(f"no secret is set for the webhook `{call.hook}`")
        call_id, now = hook_id(call.key), self._now()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": call_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signing.sign(call_id, now, call.body.decode()),
        }
        return await self._api.post_bytes(call.url, call.body, headers)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()
