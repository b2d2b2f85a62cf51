"""Small requests that want to become large ones: refused, ten at once, in little memory.

Against a real process, whose memory is measured. The one surprising fact: each bomb is sent
with the key and without one, for a stranger's body has to be parsed to find the key in it,
and must not be kept while the store is asked. With a wrong key it is not even read.
"""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from api.request_limits import MOST_BYTES, PATIENCE
from api.scopes import ALL_SCOPES
from store.database import Database
from tests.api.given import make_key, publish
from tests.fuzz.server import Served, served

AT_ONCE = 10
MOST_MB = 30

_ZEROS = gzip.compress(bytes(128 * 1024 * 1024))


def _batch(*calls: bytes, key: bytes = b"wrong") -> bytes:
    return b'{"writeKey":"' + key + b'","batch":[' + b",".join(calls) + b"]}"


def _track(properties: bytes) -> bytes:
    return b'{"type":"track","userId":"c1","event":"e","properties":' + properties + b"}"


def _filled(unit: bytes, room: int = MOST_BYTES - 100) -> bytes:
    return unit * (room // len(unit))


BOMBS: dict[str, tuple[bytes, set[int]]] = {
    "gzip": (_ZEROS, {413}),
    "gzip in gzip": (gzip.compress(_ZEROS), {400}),
    "gzip of many lists": (gzip.compress(_batch(_filled(b"[],") + b"0")), {413}),
    "gzip of one list too long": (gzip.compress(b"[" + b"0," * 10_000_000), {413}),
    "deep lists": (b"[" * 100_000, {413}),
    "deep objects": (b'{"a":' * 45_000, {400}),
    "deep but whole": (_batch(_track(b"[" * 20_000 + b"]" * 20_000)), {400}),
    "nothing but brackets": (b"[" * MOST_BYTES, {413}),
    "many lists": (_batch(_filled(b"[[[[[[[[[[]]]]]]]]]],") + b"0"), {413}),
    "as many lists as may be": (_batch(_filled(b"[[[[[[[[[[]]]]]]]]]],", 100_000) + b"0"), {413}),
    "as many objects as may be": (
        _batch(_track(b"[" + _filled(b'{"":0},', 300_000) + b"0]")),
        {400},
    ),
    "many numbers": (_batch(_track(b"[" + _filled(b"1e1,") + b"0]")[:MOST_BYTES]), {400, 413}),
    "a number of 400 KB": (_batch(_track(b'{"n":' + b"9" * 400_000 + b"}")), {400}),
    "numbers of 4,000 digits": (_batch(_track(b"[" + _filled(b"9" * 4000 + b",") + b"0]")), {400}),
    "a key of 490 KB": (_batch(_track(b'{"' + b"k" * 490_000 + b'":1}')), {400}),
    "many keys": (
        _batch(_track(json.dumps({f"{n:x}": 0 for n in range(45_000)}).encode())),
        {400},
    ),
    "wide characters": (_batch(_track(b'["' + "😀".encode() + b"x" * 490_000 + b'"]')), {400}),
    "2,501 calls": (_batch(*[_track(b"{}")] * 2501), {413}),
    "2,500 calls of 400 bytes": (_batch(*[_track(b'{"a":"' + b"x" * 350 + b'"}')] * 2500), {413}),
}


@dataclass(frozen=True)
class Target:
    """The process, warm; a key; and how many MB it held before the first bomb."""

    process: Served
    key: str
    began_with: float

    def grown(self) -> float:
        """The most that was held since this was asked last, over what it began with, in MB."""
        return self.process.memory().peak - self.began_with


@pytest.fixture(scope="module")
def target(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One process for all bombs: what each leaves behind adds up."""
    folder = tmp_path_factory.mktemp("bombs")
    path = folder / "store.db"
    path.write_bytes(migrated_file.read_bytes())
    url = f"sqlite+aiosqlite:///{path}"
    key = asyncio.run(_prepared(url))
    with served(url, folder / "log") as process:
        asyncio.run(_warm(process, key))
        yield Target(process, key, process.memory().now)


async def _prepared(url: str) -> str:
    database = Database(url)
    await publish(database)
    key = await make_key(database, *ALL_SCOPES)
    await database.dispose()
    return key


async def _warm(process: Served, key: str) -> None:
    """Ordinary traffic: what a server holds after its first minute is no bomb's doing."""
    calls = [_track(b'{"plan":"pro"}')] * 100
    for _ in range(3):
        answers = await asyncio.gather(
            *(process.post("/v1/batch", _batch(*calls), key) for _ in range(AT_ONCE)),
            *(process.post("/v1/batch", _batch(*calls, key=key.encode()), None) for _ in range(3)),
        )
        assert {status for status, _ in answers} == {200}


@pytest.mark.parametrize(
    ("name", "sender"),
    [*product(BOMBS, ["known", "none"]), ("gzip", "wrong"), ("many lists", "wrong")],
)
async def test_a_bomb_is_refused_ten_at_once_while_others_are_answered(
    target: Target, name: str, sender: str
) -> None:
    body, statuses = BOMBS[name]
    shown = {"known": target.key, "wrong": "pk_wrong", "none": None}[sender]
    bombs = [
        asyncio.create_task(target.process.post("/v1/batch", body, shown)) for _ in range(AT_ONCE)
    ]
    async with asyncio.timeout(10):  # an event that has to wait longer is as good as refused
        good = await target.process.post("/v1/track", _track(b'{"plan":"pro"}'), target.key)
    assert good == (200, "")
    answers = await asyncio.gather(*bombs)
    expected = {"known": statuses, "wrong": {401}, "none": statuses | {401}}[sender]
    assert {status for status, _ in answers} <= expected
    assert all(code for _, code in answers)
    assert target.grown() < MOST_MB


@pytest.mark.parametrize("sender", ["known", "none"])
async def test_a_body_without_an_end_is_refused(target: Target, sender: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    shown = target.key if sender == "known" else None
    answers = await asyncio.gather(
        *(target.process.post("/v1/batch", endless(), shown) for _ in range(AT_ONCE))
    )
    assert set(answers) == {(413, "too_large")}
    assert target.grown() < MOST_MB


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/journeys/trial/enroll"])
async def test_a_body_that_is_announced_too_large_is_not_waited_for(
    target: Target, path: str
) -> None:
    answer = await target.process.post(path, b"{", target.key, "Content-Length: 10000000000")
    assert answer == (413, "too_large")


@pytest.mark.long
async def test_those_who_dribble_are_given_up_and_hold_up_nobody(target: Target) -> None:
    process, key = target.process, target.key
    is_over = asyncio.Event()

    async def dribble() -> AsyncIterator[bytes]:
        yield b'{"batch":['
        while not is_over.is_set():
            yield b"0,"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 1)

    loop = asyncio.get_running_loop()
    began_at = loop.time()
    slow = [
        asyncio.create_task(process.post("/v1/batch", dribble(), shown))
        for shown in [key, None] * 50
    ]
    assert await process.post("/v1/track", _track(b"{}"), key) == (200, "")
    assert loop.time() - began_at < PATIENCE.total_seconds() / 2
    answers = await asyncio.gather(*slow)
    is_over.set()
    assert set(answers) == {(408, "too_slow")}
    assert loop.time() - began_at < 2 * PATIENCE.total_seconds()
