"""Temporal at the client's border: remembers what it was asked, and can be away or refuse."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode


@dataclass(frozen=True)
class Asked:
    """One call: `start`, `event`, `pause`, …, for which workflow, with what."""

    what: str
    workflow: str
    arg: Any = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class FakeTemporal:
    """`fails` is asked before each call is heard, and returns the error to raise, if any."""

    heard: list[Asked] = field(default_factory=list)
    fails: Callable[[Asked], BaseException | None] = lambda asked: None
    fails_after: Callable[[Asked], BaseException | None] = lambda asked: None
    hearing: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    def client(self) -> Client:
        return cast(Client, self)

    @property
    def service_client(self) -> "FakeTemporal":
        return self

    async def check_health(self, **_: Any) -> bool:
        return True

    async def start_workflow(self, name: str, arg: Any, **options: Any) -> None:
        await self._hear(Asked("start", options.pop("id"), arg, {"type": name, **options}))

    def get_workflow_handle(self, workflow: str) -> "_Handle":
        return _Handle(self, workflow)

    async def _hear(self, asked: Asked) -> None:
        assert isinstance(asked.options.get("rpc_timeout"), timedelta)  # the law: on every call
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for _ in range(3):
                await asyncio.sleep(0)  # a turn for the others, as a network gives
            if (error := self.fails(asked)) is not None:
                raise error
            self.heard.append(asked)
            self.hearing.set()
            if (error := self.fails_after(asked)) is not None:
                raise error
        finally:
            self.at_once -= 1


@dataclass
class _Handle:
    temporal: FakeTemporal
    workflow: str

    async def signal(self, name: str, arg: Any, **options: Any) -> None:
        await self.temporal._hear(Asked(name, self.workflow, arg, options))

    async def execute_update(self, name: str, arg: Any, **options: Any) -> None:
        await self.temporal._hear(Asked(name, self.workflow, arg, options))

    async def cancel(self, **options: Any) -> None:
        await self.temporal._hear(Asked("cancel", self.workflow, None, options))


def rpc_error(status: RPCStatusCode, message: str = "no") -> RPCError:
    return RPCError(message, status, b"")


def away(_: Asked) -> RPCError:
    return rpc_error(RPCStatusCode.UNAVAILABLE, "connection refused")
