"""The API as a process, put through everything that goes right and wrong, with a customer's data.

Run by `test_logs.py`, which reads what it logs: `python -m tests.api.noisy URL FORMAT [leak]`.
With `leak` it also does what nobody may: it logs a customer.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import httpx
import structlog
from sqlalchemy import text
from temporalio.service import RPCStatusCode

from api import intake
from api.dispatcher import Dispatcher
from api.routes import customers
from api.scopes import ALL_SCOPES
from api.services import Services
from settings import LogFormat
from store.database import Database
from tests.api.fake_temporal import Asked, FakeTemporal, rpc_error
from tests.api.given import load_settings, make_key, publish
from worker.logs import configure_logs
from worker.web import serving

# Each is somewhere in a request, and may be nowhere in a log.
SECRETS = (
    "cust-ada-77",
    "ada@lovelace.example",
    "visitor-8812",
    "secret_plan_name",
    "secret_event_name",
    "msg-id-4711",
    "Lovelace Engines",
)
WHO, MAIL, VISITOR, PLAN, EVENT, MESSAGE, COMPANY = SECRETS


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _call(**more: Any) -> dict[str, Any]:
    given = {"userId": WHO, "event": EVENT, "messageId": MESSAGE}
    return {"type": "track", **given, "properties": {PLAN: MAIL}, **more}


async def _good(client: httpx.AsyncClient) -> None:
    traits = {"email": MAIL, "plan": PLAN, "timezone": f"Mars/{PLAN}"}
    await client.post(
        "/v1/identify", json={"userId": WHO, "anonymousId": VISITOR, "traits": traits}
    )
    await client.post("/v1/group", json={"userId": WHO, "groupId": COMPANY})
    for event in ("trial_started", EVENT, "trial_cancelled"):
        await client.post("/v1/track", json=_call(event=event, messageId=f"{MESSAGE}-{event}"))
    await client.get(f"/v1/customers/{WHO}")
    await client.get("/v1/events", params={"customer": MAIL})


async def _refused(client: httpx.AsyncClient) -> None:
    for bad in (
        _call(event=f"{EVENT}.x"),
        _call(timestamp=f"{PLAN} o'clock"),
        _call(userId={"id": WHO}),
        _call(type=PLAN),
        _call(properties=[MAIL]),
        _call(event=f"nul\0{EVENT}"),
        WHO,
    ):
        await client.post("/v1/batch", json={"batch": [bad]})
        await client.post("/v1/batch", json={"batch": [bad, _call(messageId=f"{MESSAGE}-ok")]})
    await client.post("/v1/track", content=f'{{"userId": "{WHO}", {MAIL}')
    await client.post("/v1/track", json=_call(), headers={"Authorization": f"Bearer {PLAN}"})
    await client.post(f"/v1/{WHO}", json=_call())


async def _failing(client: httpx.AsyncClient, services: Services, temporal: FakeTemporal) -> None:
    """Temporal, then the store, say no, and quote what they were given."""
    dispatcher = Dispatcher(services, temporal.client())

    def quoting(asked: Asked) -> BaseException:
        quoted = f"workflow {asked.workflow} of {WHO}: {MAIL}"
        return (
            KeyError(quoted)
            if asked.what == "event"
            else rpc_error(RPCStatusCode.INVALID_ARGUMENT, quoted)
        )

    await client.post("/v1/track", json=_call(event="trial_started", userId=f"{WHO}-2"))
    temporal.fails = quoting
    await dispatcher.drain()
    async with _without(services.database, "events"):
        await client.post("/v1/track", json=_call(messageId=f"{MESSAGE}-away"))
    async with _without(services.database, "refused_calls"):
        await client.post("/v1/track", json=_call(event=f"{EVENT}.x"))


@asynccontextmanager
async def _without(database: Database, table: str) -> AsyncIterator[None]:
    """The store, broken meanwhile."""
    await _rename(database, table, "elsewhere")
    try:
        yield
    finally:
        await _rename(database, "elsewhere", table)


async def _rename(database: Database, before: str, after: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


async def _crashing(client: httpx.AsyncClient) -> None:
    """A bug of ours whose error quotes the customer, with another one behind it."""

    async def crash(*given: Any, **_: Any) -> None:
        nobody: dict[str, str] = {}
        try:
            nobody[WHO]
        except KeyError as error:
            raise ValueError(f"{MAIL} has no {PLAN}: {given!r}") from error

    cast(Any, intake).accept = crash
    cast(Any, customers).enrollments = None
    await client.post("/v1/track", json=_call(messageId=f"{MESSAGE}-crash"))
    await client.get(f"/v1/customers/{WHO}")


async def main(url: str, form: str, *leak: str) -> None:
    configure_logs(LogFormat(form))
    database = Database(url)
    port = free_port()
    settings = load_settings(url, api_port=port, api_host="127.0.0.1")
    services = Services(database=database, settings=settings)
    await publish(database)
    key = await make_key(database, *ALL_SCOPES)
    temporal = FakeTemporal()
    at = f"http://127.0.0.1:{port}"
    async with (
        serving(services),
        httpx.AsyncClient(base_url=at, headers={"Authorization": f"Bearer {key}"}) as client,
    ):
        await _good(client)
        await _refused(client)
        await _failing(client, replace(services, temporal=temporal.client()), temporal)
        if leak:
            structlog.get_logger("parcours.ingest").info("took a call", customer=WHO)
        await _crashing(client)
    await database.dispose()
    print("done")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
