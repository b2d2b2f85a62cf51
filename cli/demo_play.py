"""The demo's customers at work: their calls go to the API as any app's would.

Decides when each call is made, by the journey clock. Events go through an ordinary Segment
SDK from PyPI; enrolling by hand and unsubscribing go as a colleague's tool and a mail
program would do them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email import policy as mail_policy
from typing import Any, assert_never
from zoneinfo import ZoneInfo

import httpx
from segment.analytics import Client as Segment

from cli.demo_cast import Does, Member, Tells, Unsubscribes
from engine.clock import Clock
from store import mailbox
from store.database import Database

JOURNEY = "trial-onboarding"
STARTED = "trial_started"

_DAY = timedelta(days=1)
_DEFAULT_ZONE = "Europe/Paris"

# Between two customers' beginnings: all of them come on the first day, not all at once.
_APART = timedelta(hours=1)

# The SDK would gather calls for half a second, in which an eighth of a day passes here.
_UPLOAD_EVERY_S = 0.05

# On a busy machine what the customers wait for may come late; then it was never coming.
_LOOK_AGAIN_S = 0.1
_LOOKS = 300


class Play:
    """One run of the demo. `key` may do everything."""

    def __init__(self, api_url: str, key: str, clock: Clock, database: Database) -> None:
        # The SDK would ask a configured proxy for an address on this very machine.
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
        logging.getLogger("segment").setLevel(logging.CRITICAL)  # `errors` has them
        self.errors: list[str] = []
        self._clock = clock
        self._database = database
        self._segment = Segment(
            key, host=api_url, upload_interval=_UPLOAD_EVERY_S, on_error=self._failed
        )
        self._http = httpx.AsyncClient(
            base_url=api_url, headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )

    async def run(self, members: Iterable[Member]) -> None:
        """Play them all, to the end of their stories."""
        origin = self._clock.journey_origin
        try:
            async with asyncio.TaskGroup() as group:
                for place, member in enumerate(members):
                    group.create_task(self._live(member, origin + place % 20 * _APART))
        finally:
            await asyncio.to_thread(self._segment.shutdown)
            await self._http.aclose()

    async def _live(self, member: Member, begins_at: datetime) -> None:
        await self._until(begins_at)
        self._segment.identify(member.id, traits=_traits(member, begins_at))
        if member.late_days is None:
            self._segment.track(member.id, STARTED, {"plan": "trial"})
        else:
            await self._enroll(member, begins_at - member.late_days * _DAY)
        for happening in member.happenings:
            await self._until(begins_at + happening.day * _DAY)
            match happening:
                case Does():
                    self._segment.track(member.id, happening.event, dict(happening.properties))
                case Tells():
                    self._segment.identify(member.id, traits=_told(member, happening, begins_at))
                case Unsubscribes():
                    await self._unsubscribe(member)
                case _:
                    assert_never(happening)

    async def _enroll(self, member: Member, start_at: datetime) -> None:
        """What a colleague does, once the app has told of the customer."""
        await self._until_there(f"the customer {member.id}", lambda: self._is_known(member))
        order = {"customer_id": member.id, "start_at": start_at.isoformat()}
        await self._post(f"/v1/journeys/{JOURNEY}/enroll", json=order)

    async def _is_known(self, member: Member) -> bool:
        return (await self._http.get(f"/v1/customers/{member.id}")).is_success

    async def _unsubscribe(self, member: Member) -> None:
        """What a mail program's own button does (RFC 8058), once there is a mail."""
        await self._until_there(f"a mail to {member.id}", lambda: self._has_mail(member))
        async with self._database.reading() as session:
            for newest in await mailbox.newest(session, customer_id=member.id, limit=1):
                mail = await mailbox.get(session, newest.id or 0)
                assert mail is not None  # mails are never deleted
                parsed = message_from_bytes(mail.raw, policy=mail_policy.default)
                link = str(parsed["List-Unsubscribe"]).strip("<>")
                await self._post(link, content="List-Unsubscribe=One-Click")

    async def _has_mail(self, member: Member) -> bool:
        async with self._database.reading() as session:
            return bool(await mailbox.newest(session, customer_id=member.id, limit=1))

    async def _until_there(self, what: str, is_there: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(_LOOKS):
            if await is_there():
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
        self.errors.append(f"{what} did not come")

    async def _post(self, url: str, **body: Any) -> None:
        try:
            answer = await self._http.post(url, **body)
        except httpx.HTTPError as error:
            self.errors.append(f"{url}: {error}")
            return
        if answer.is_error:
            self.errors.append(f"{url}: {answer.status_code} {answer.text}")

    async def _until(self, journey_at: datetime) -> None:
        left = self._clock.real_span(journey_at - self._clock.journey(datetime.now(UTC)))
        await asyncio.sleep(max(left.total_seconds(), 0))

    def _failed(self, error: object, _: object) -> None:
        self.errors.append(f"the Segment SDK: {error}")


def _traits(member: Member, begins_at: datetime) -> dict[str, Any]:
    began_at = begins_at - (member.late_days or 0) * _DAY
    end = {} if member.trial_days is None else _end(member, began_at, member.trial_days)
    return {**member.traits, **end}


def _told(member: Member, tells: Tells, begins_at: datetime) -> dict[str, Any]:
    end = {} if tells.trial_days is None else _end(member, begins_at, tells.trial_days)
    return {**tells.traits, **end}


def _end(member: Member, began_at: datetime, days: int) -> dict[str, str]:
    """The end of the trial, as an app says it: a date of the customer's own calendar."""
    zone = ZoneInfo(str(member.traits.get("timezone", _DEFAULT_ZONE)))
    return {"trial_ends_at": (began_at.astimezone(zone).date() + days * _DAY).isoformat()}
