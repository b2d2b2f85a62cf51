"""What `simulate` prints: one JSON object a line for programs, a table a customer for people.

Decides forms, not facts. Both ways of simulating hand over the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.lines import LifeLine, Line, StepLine

if TYPE_CHECKING:
    from rich.console import Console

# The zone of a customer at a time: (customer id, time) → IANA name.
ZoneAt = Callable[[str, datetime], str]


def as_json(line: Line) -> str:
    """The line as one JSON object, its keys in the order of the documentation."""
    told: dict[str, Any] = {
        "at": utc_text(line.at),
        "customer": line.customer,
        "journey": line.journey,
        "key": line.key,
    }
    match line:
        case StepLine():
            told |= {
                "step": line.step,
                "decision": line.decision.value,
                "channel": line.channel,
                "message": line.message,
                "reason": None if line.reason is None else line.reason.value,
            }
        case LifeLine():
            told["enrollment"] = "entered" if line.ending is None else line.ending.value
            if line.event is not None:
                told["event"] = line.event
    return json.dumps(told, ensure_ascii=False)


def utc_text(at: datetime) -> str:
    """`2026-11-25T09:00:00Z`; with a fraction only where there is one."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def print_tables(lines: Iterable[Line], zone_at: ZoneAt, console: Console) -> None:
    """A table for each customer, in the order in which they come up; times are the customer's."""
    by_customer: dict[str, list[Line]] = {}
    for line in lines:
        by_customer.setdefault(line.customer, []).append(line)
    if not by_customer:
        console.print("nobody enters the journey, so nobody gets anything")
    for customer, mine in by_customer.items():
        _print_one(customer, mine, zone_at, console)


def _print_one(customer: str, lines: list[Line], zone_at: ZoneAt, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    from cli.sentences import of_life, of_step
    from engine.progress import local_text

    table = Table(title=escape(customer), title_justify="left", box=None, pad_edge=False)
    table.add_column("when", no_wrap=True)
    table.add_column("step", no_wrap=True)
    table.add_column("what", overflow="fold")
    for line in lines:
        when = local_text(line.at, zone_at(customer, line.at))
        match line:
            case StepLine():
                table.add_row(when, escape(line.step), escape(of_step(line)))
            case LifeLine():
                table.add_row(when, "", escape(of_life(line)), style="dim")
    console.print(table)
    console.print()
