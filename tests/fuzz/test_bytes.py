"""Raw bytes at the addresses that strangers reach: events in, and the links in messages.

Whatever is sent, the answer is one that the description has, with a code and a message; the
good events of a batch that was accepted are kept once, and nothing of one that was refused.
The one surprising fact: each case has a customer of its own, whose events are counted.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from api.documentation import described
from store.database import Database
from store.tables import Event, EventKind, EventStats
from tests.fuzz import odd_bodies
from tests.fuzz.asking import Answer, Shot, ask
from tests.fuzz.stage import Stage

# A case takes about 5 ms.
_QUICK_CASES = 40
_LONG_CASES = 500

_KINDS = ("track", "identify", "page", "screen")


@pytest.fixture
def gun(stage: Stage) -> "Gun":
    return Gun(stage)


def test_whatever_is_sent_the_answer_is_one_that_is_documented(gun: "Gun") -> None:
    assert fire(gun, _QUICK_CASES) >= 5 * _QUICK_CASES


@pytest.mark.long
def test_thousands_of_broken_requests_find_nothing_undocumented(gun: "Gun") -> None:
    assert fire(gun, _LONG_CASES) >= 5 * _LONG_CASES


def test_every_odd_value_is_taken_or_refused_wherever_it_stands(gun: "Gun") -> None:
    enrolled = 0
    for value in odd_bodies.ODD:
        stem = gun.stem()
        calls = odd_bodies.everywhere(value, stem)
        gun.fire(gun.plain(f'{{"batch":[{",".join(calls)}]}}'))
        # Whoever sends something odd beside it starts all the same, if it is JSON at all.
        starts = f'{{"batch":[{calls[1]}]}}'
        assert gun.fire(gun.plain(starts)).status == 200
        enrolled += len(gun.kept(f"{stem}-0")) > 1
    assert enrolled > len(odd_bodies.ODD) // 2


def fire(gun: "Gun", cases: int) -> int:
    """Every kind of attack, that often; how many requests that were."""
    for attack in (_batch, _single, _broken, _without_a_key, _link):
        _repeated(cases, gun, attack)
    return gun.fired


class Gun:
    """Fires at a stage, and looks at what comes back."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.fired = 0
        self._numbers = count()
        paths = described(stage.app.openapi())["paths"]
        self._documented = {
            (path, method): {int(status): told for status, told in each["responses"].items()}
            for path, methods in paths.items()
            for method, each in methods.items()
        }

    def stem(self) -> str:
        """The name of a customer whom no other case has, also with a few bits changed."""
        return f"f{hashlib.sha256(str(next(self._numbers)).encode()).hexdigest()[:16]}"

    def fire(self, shot: Shot) -> Answer:
        """The answer, if it is one that may be given."""
        self.fired += 1
        answer = self.stage.run(ask(self.stage.app, shot))
        is_link = shot.path[:3] in _PAGES
        path = shot.path[:3] + "{token}" if is_link else shot.path.rstrip("/")
        documented = self._documented[path, shot.method.lower()]
        assert answer.status < 500, answer
        assert answer.status in documented, answer
        assert answer.type in documented[answer.status]["content"], answer
        if answer.type == "application/json":
            told = json.loads(answer.body)
            assert told["success"] is (answer.status == 200)
            if not told["success"]:
                assert told["code"]
                assert told["message"]
        return answer

    def plain(self, body: str) -> Shot:
        """A batch with the key, and nothing odd about how it comes."""
        shown = (b"authorization", f"Bearer {self.stage.key}".encode())
        return Shot(path="/v1/batch", headers=(shown,), parts=(body.encode("utf-8"),))

    def kept(self, stem: str) -> set[str]:
        """The ids of the customer's events, each of which is counted once."""
        return self.stage.run(_kept(self.stage.services.database, stem))


async def _kept(database: Database, stem: str) -> set[str]:
    async with database.reading() as session:
        rows = list(await session.scalars(select(Event).where(col(Event.customer_id) == stem)))
        stats = await session.scalars(select(EventStats).where(col(EventStats.customer_id) == stem))
        counted = sum(each.count for each in stats)
    assert counted == sum(row.name is not None for row in rows)
    return {row.message_id for row in rows if row.kind is not EventKind.SYSTEM}


@dataclass(frozen=True)
class _Case:
    gun: Gun
    draw: Callable[[st.SearchStrategy[Any]], Any]


def _repeated(cases: int, gun: Gun, attack: Callable[[_Case], None]) -> None:
    # Found anew each time: a fault belongs into a test of its own, not into a folder.
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def once(data: st.DataObject) -> None:
        attack(_Case(gun, data.draw))

    once()


def _batch(case: _Case) -> None:
    """Good and odd calls in one batch, which comes as it may."""
    gun, draw = case.gun, case.draw
    stem = gun.stem()
    text, calls = draw(odd_bodies.batches(stem))
    body = text.encode("utf-8", "surrogatepass")
    path = draw(st.sampled_from(["/v1/batch", "/v1/batch/"]))
    shot = draw(odd_bodies.shots(path, body, gun.stage.key))
    good = {call.message_id for call in calls if call.is_good}
    for _ in range(2):  # a repeat changes nothing
        answer = gun.fire(shot)
        kept = gun.kept(stem)
        if answer.status == 200:
            assert good <= kept
        else:
            assert not kept
            # One number that no reader takes spoils the whole; else a good call is taken.
            assert not good or json.loads(answer.body)["code"] in {"invalid_json", "too_large"}


def _single(case: _Case) -> None:
    """One call, good or odd."""
    gun, draw = case.gun, case.draw
    stem = gun.stem()
    call = draw(odd_bodies.calls(stem))
    path = f"/v1/{draw(st.sampled_from(_KINDS))}{draw(st.sampled_from(['', '/']))}"
    shot = draw(odd_bodies.shots(path, call.text.encode(), gun.stage.key))
    answer = gun.fire(shot)
    kept = gun.kept(stem)
    if call.is_good:
        assert (answer.status, kept) == (200, {call.message_id})
    elif answer.status != 200:
        assert not kept


def _broken(case: _Case) -> None:
    """Bytes that were a batch once."""
    gun, draw = case.gun, case.draw
    stem = gun.stem()
    text, _ = draw(odd_bodies.batches(stem))
    body = draw(odd_bodies.broken(text.encode()))
    path = draw(st.sampled_from(["/v1/batch", "/v1/track/", "/v1/identify"]))
    shot = draw(odd_bodies.shots(path, body, gun.stage.key))
    shot = replace(shot, is_cut=draw(st.booleans()))
    answer = gun.fire(shot)
    if answer.status != 200 or shot.is_cut:
        assert not gun.kept(stem)


def _without_a_key(case: _Case) -> None:
    """Keys that are none, in the header or in the body; and the real one in the body."""
    gun, draw = case.gun, case.draw
    stem = gun.stem()
    call = draw(odd_bodies.calls(stem, may_be_odd=False))
    is_valid = draw(st.booleans())
    key = f'"{gun.stage.key}"' if is_valid else draw(odd_bodies.odd)
    body = f'{{"batch":[{call.text}],"writeKey":{key}}}'.encode()
    shot = draw(odd_bodies.shots("/v1/batch", body, "", is_shown=False))
    if draw(st.booleans()):
        shown = (b"authorization", draw(st.sampled_from(odd_bodies.NO_KEY)))
        shot = replace(shot, headers=(*shot.headers, shown))
    answer = gun.fire(shot)
    assert answer.status in ({200, 401} if is_valid else {400, 401})
    assert gun.kept(stem) == ({call.message_id} if answer.status == 200 else set())


_PAGES = ("/u/", "/p/", "/s/")
_FORMS = (
    b"List-Unsubscribe=One-Click",
    b"all=yes",
    b"again=yes",
    b"leave=yes",
    b"shown=email/news&on=email/news",
    b"",
    b"&" * 9000,
)


def _link(case: _Case) -> None:
    """Tokens that were bent, and forms that are none."""
    gun, draw = case.gun, case.draw
    page = draw(st.sampled_from(_PAGES))
    true = token = gun.stage.tokens[page[1]]
    match draw(st.integers(0, 3)):
        case 0:
            token = draw(st.text(min_size=1, max_size=60)).replace("/", "_")
        case 1:
            place = draw(st.integers(0, len(token)))
            token = (
                token[:place] + draw(st.sampled_from(["\0", ".", "é", "=", " "])) + token[place:]
            )
        case 2:
            token = token[: draw(st.integers(1, len(token)))]
    form = draw(st.sampled_from(_FORMS))
    body = draw(st.one_of(st.just(form), odd_bodies.broken(form or b"x")))
    shot = draw(odd_bodies.shots(f"{page}{token}", body, "", is_shown=False))
    answer = gun.fire(replace(shot, method=draw(st.sampled_from(["GET", "POST"]))))
    if token == true:
        assert answer.status == 200
    elif len(token) < len(true):  # a longer one may differ in what base64 skips
        assert answer.status == 404
