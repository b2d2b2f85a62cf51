"""What the demo shows: each decision as it is made, and at the end who got what.

Reads the store and nothing else: what is shown is what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from cli.demo_cast import Member
from cli.sentences import of_life, of_step
from engine.clock import Clock
from engine.definition import Journey
from engine.lines import LifeLine, Line, StepLine
from engine.reasons import Decision, Ending
from store import enrollments
from store.database import Database
from worker.told import lines_of

_DAY = timedelta(days=1)


@dataclass
class Watch:
    """Prints what is new at every look."""

    database: Database
    clock: Clock
    members: Sequence[Member]
    console: Console
    _lines: dict[str, list[Line]] = field(default_factory=dict)
    _seen: dict[str, object] = field(default_factory=dict)  # how each enrollment stood

    async def look(self) -> None:
        """Print the lines that came since the last look, in time order."""
        new: list[Line] = []
        async with self.database.reading() as session:
            for customer_id in await self._moved(session):
                lines = await lines_of(session, customer_id)
                known = self._lines.get(customer_id, [])
                new += [line for line in lines if line not in known]
                self._lines[customer_id] = lines
        for line in sorted(new, key=lambda line: line.at):
            self.console.print(self._progress(line), highlight=False, soft_wrap=True)

    async def _moved(self, session: AsyncSession) -> list[str]:
        """The customers with whom something has happened: whatever does changes what is next."""
        moved: dict[str, None] = {}
        for row in await enrollments.found(session, limit=len(self.members)):
            stands = (row.state, row.next_step, row.next_at)
            if self._seen.get(row.id) != stands:
                self._seen[row.id] = stands
                moved[row.customer_id] = None
        return list(moved)

    def print_table(self, journey: Journey) -> None:
        """Everyone, what they received and why not the rest; reasons as footnotes."""
        footnotes = _Footnotes()
        table = Table(
            title="Who got what, on which of their days, and why not the rest",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        table.add_column("customer", no_wrap=True)
        for step in journey.steps:
            table.add_column(step.id, no_wrap=True)
        table.add_column("ending", no_wrap=True)
        for member in self.members:
            lines = self._lines.get(member.id, [])
            table.add_row(
                f"[bold]{escape(member.id):<5}[/bold] [dim]{escape(member.story)}[/dim]",
                *(_cell(step.id, lines, footnotes) for step in journey.steps),
                _outcome(lines),
            )
        self.console.print(table)
        for mark, sentence in footnotes.sentences.items():
            self.console.print(f"  [yellow]{mark}[/yellow]  {escape(sentence)}", highlight=False)
        self.console.print()

    def _progress(self, line: Line) -> str:
        day = (line.at - self.clock.journey_origin) / _DAY
        when = f"[dim]day {day:4.1f}  {line.at:%a %d %b %H:%M}Z[/dim]"
        who = f"[bold]{escape(line.customer):<10}[/bold]"
        match line:
            case StepLine():
                colour = "green" if line.decision is Decision.SENT else "yellow"
                what = f"{escape(line.step):<7} [{colour}]{escape(of_step(line))}[/{colour}]"
            case LifeLine():
                what = f"[cyan]{escape(of_life(line))}[/cyan]"
        return f"{when}  {who} {what}"


@dataclass
class _Footnotes:
    """Sentences below a table, each with its letter."""

    sentences: dict[str, str] = field(default_factory=dict)

    def mark(self, sentence: str) -> str:
        """The letter of this sentence."""
        for mark, known in self.sentences.items():
            if known == sentence:
                return mark
        mark = chr(ord("a") + len(self.sentences))
        self.sentences[mark] = sentence
        return mark


def _cell(step: str, lines: Iterable[Line], footnotes: _Footnotes) -> str:
    mine = list(lines)
    began_at = next((line.at for line in mine if isinstance(line, LifeLine)), None)
    for line in mine:
        if isinstance(line, StepLine) and line.step == step and began_at is not None:
            if line.decision is Decision.SENT:
                return f"[green]✓ {_days(line.at - began_at)}[/green]"
            return f"[yellow]– {footnotes.mark(of_step(line))}[/yellow]"
    return f"[dim]{_undecided(_ending(mine))}[/dim]"


def _undecided(ending: Ending | None) -> str:
    """Why a step has no decision: steps that are open at the end get none."""
    match ending:
        case None:
            return "waiting"
        case Ending.COMPLETED:
            return "not due"
        case Ending.CONVERTED:
            return "bought"
        case Ending.EXITED | Ending.CANCELLED:
            return "left"


def _outcome(lines: Iterable[Line]) -> str:
    mine = list(lines)
    life = [line for line in mine if isinstance(line, LifeLine)]
    if not life:
        return "[red]never entered[/red]"
    if life[-1].ending is None:
        return "open"
    return f"{life[-1].ending} {_days(life[-1].at - life[0].at)}"


def _ending(lines: Iterable[Line]) -> Ending | None:
    return next((line.ending for line in lines if isinstance(line, LifeLine) and line.ending), None)


def _days(span: timedelta) -> str:
    return f"{span / _DAY:.0f}"
