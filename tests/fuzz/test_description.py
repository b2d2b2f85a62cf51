"""What the API says of itself, held against what it does: schemathesis, over every operation.

Addresses name people who exist half of the time, or nothing but 404 would ever be tried. The
numbers of requests are counted and asserted, so that they can't shrink unnoticed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.documentation import described
from api.services import Services
from store.database import Database
from tests.api.given import load_settings
from tests.fuzz.stage import Stage

CHECKS: list[Callable[..., Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# A case takes about 15 ms: some hundred of them are what `make test` has time for.
_QUICK_CASES = 8
# Of each of some fifty operations that take anything, and on each database.
_LONG_CASES = 130

_REAL: dict[str, Callable[[Stage], list[str]]] = {
    "customer_id": lambda stage: stage.customer_ids,
    "customer": lambda stage: stage.customer_ids,
    "enrollment_id": lambda stage: stage.enrollment_ids,
    "name": lambda stage: ["trial", "cart"],
    "journey": lambda stage: ["trial", "cart"],
    "step": lambda stage: ["thanks", "demo", "coupon"],
    "topic": lambda stage: ["onboarding", "news"],
    "token": lambda stage: [*stage.tokens.values()],
    "userId": lambda stage: stage.customer_ids,
    "event": lambda stage: ["trial_started", "subscription_purchased", "trial_cancelled"],
}


def operations() -> list[Any]:
    """What the description has; it needs no store."""
    services = Services(database=Database(_NOWHERE), settings=load_settings(_NOWHERE))
    schema = schemathesis.openapi.from_dict(described(create_app(services).openapi()))
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(found) == sum(len(methods) for methods in schema.raw_schema["paths"].values())
    return found


_NOWHERE = "sqlite+aiosqlite:///nowhere.db"


def test_every_operation_does_what_it_says(stage: Stage) -> None:
    assert attack(stage, _QUICK_CASES) > 200


@pytest.mark.long
def test_five_thousand_requests_on_each_database_find_nothing_undocumented(stage: Stage) -> None:
    assert attack(stage, _LONG_CASES) >= 5_000


def test_without_a_valid_key_an_operation_is_refused_before_its_body_is_looked_at(
    stage: Stage,
) -> None:
    closed = [each for each in operations() if "security" in each.definition.raw]
    assert len(closed) > 10
    for each in closed:
        for shown in (b"Bearer wrong", b"Basic AAAA", b"Bearer \xff"):
            request = httpx.Request(
                each.method.upper(),
                f"http://parcours.test{each.path}",
                headers={b"Authorization": shown},
                content=b"[[[",
            )
            (answer,) = stage.ask(request)
            assert answer.status_code == 401
            assert answer.json()["code"] in ("invalid_key", "invalid_write_key")


def attack(stage: Stage, cases: int) -> int:
    """Try each operation that often; how many requests that were in the end."""
    asked = 0
    for operation in operations():
        attacker = _Attacker(stage, operation)
        attacker.attack(cases)
        asked += attacker.asked
    return asked


@dataclass
class _Attacker:
    """One operation, and how many requests it has had."""

    stage: Stage
    operation: Any
    asked: int = 0

    def attack(self, cases: int) -> None:
        allowed, forbidden = (
            self.operation.as_strategy(mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )

        # Found anew each time: a fault belongs into a test of its own, not into a folder.
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=allowed | forbidden, data=st.data())
        def ask(case: Case[Any], data: st.DataObject) -> None:
            self._aim(case, data)
            prepared = requests.Request(
                **case.as_transport_kwargs(base_url="http://parcours.test")
            ).prepare()
            request = httpx.Request(
                prepared.method or "",
                prepared.url or "",
                headers=[
                    (n.encode(), v.encode("utf-8") if isinstance(v, str) else v)
                    for n, v in prepared.headers.items()
                ],
                content=cast(bytes | str, prepared.body or b""),
            )
            self.asked += 1
            (answer,) = self.stage.ask(request)
            case.validate_response(answer, checks=CHECKS)

        ask()

    def _aim(self, case: Case[Any], data: st.DataObject) -> None:
        """Show a key, and name what exists, most of the time."""
        key = data.draw(st.sampled_from([self.stage.key] * 8 + [self.stage.ingest_key, None]))
        if key is not None:
            case.headers["Authorization"] = f"Bearer {key}"
        for place in (case.path_parameters, case.query, case.body):
            if not isinstance(place, dict):
                continue
            for name in sorted(place.keys() & _REAL.keys()):
                if data.draw(st.booleans()):
                    real = data.draw(st.sampled_from(_REAL[name](self.stage)))
                    is_path = place is case.path_parameters
                    place[name] = quote(real, safe="") if is_path else real
