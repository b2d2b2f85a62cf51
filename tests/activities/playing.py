"""A provider's API, played by a function: what it is asked, and what it answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Played(httpx.AsyncBaseTransport):
    """Answers with `answer`; keeps what it was asked."""

    answer: Callable[[httpx.Request], httpx.Response]
    asked: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the only request."""
        (request,) = self.asked
        found: dict[str, Any] = json.loads(request.content)
        return found


def answering(status: int, **given: Any) -> Played:
    """Always the same answer."""
    return Played(lambda request: httpx.Response(status, **given))
