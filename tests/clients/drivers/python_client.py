"""Makes calls with one Segment client for Python, of which only host and key are set.

Reads what to do from standard input and says there what the client said. Run by Python
without site-packages, on an installation of the client alone. The one surprising fact: it
leaves at once after `flush`, past every handler at exit, so that what `flush` did not
deliver is lost, and missed by the tests.
"""

import importlib
import json
import os
import sys
from datetime import datetime
from typing import Any

_NAMES = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "groupId": "group_id",
    "previousId": "previous_id",
}


def _make(analytics: Any, call: dict[str, Any]) -> None:
    given = {_NAMES.get(name, name): value for name, value in call.items() if name != "type"}
    if "timestamp" in given:
        given["timestamp"] = datetime.fromisoformat(given["timestamp"])
    getattr(analytics, call["type"])(**given)


def main() -> None:
    order = json.load(sys.stdin)
    analytics: Any = importlib.import_module(order["module"])
    errors: list[str] = []
    analytics.write_key = order["key"]
    setattr(analytics, order["hostIs"], order["host"])
    analytics.on_error = lambda error, _: errors.append(str(error))
    for call in order["calls"]:
        _make(analytics, call)
    analytics.flush()
    print(json.dumps({"errors": errors, "version": analytics.__version__}), flush=True)
    os._exit(0)


main()
