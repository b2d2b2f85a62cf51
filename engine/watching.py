"""Which events any journey looks at: the question that most events are done with.

Computed once from all versions that somebody may be inside of, so that an event nobody
waits for costs a look into a set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.company import looks_at_company
from engine.definition import EventMatch, Journey


@dataclass(frozen=True)
class Watched:
    """`events` start, end or fire something; `where` holds the conditions of those events that
    do so nowhere without one. `of_company` end also a colleague's enrollment.

    `company_versions` are the versions (journey, version) to which a company matters.
    `anchors` are the traits from which times count; `moving` the events from which one of
    those is computed.
    """

    events: frozenset[str] = frozenset()
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    of_company: frozenset[str] = frozenset()
    company_versions: frozenset[tuple[str, str]] = frozenset()
    anchors: frozenset[str] = frozenset()
    moving: frozenset[str] = frozenset()


def watched(versions: Iterable[Journey]) -> Watched:
    """What these versions look at."""
    known = list(versions)
    return Watched(
        events=frozenset(name for each in known for name in each.event_names),
        where=_conditions(match for each in known for match in each.matches),
        of_company=frozenset(name for each in known for name in each.company_event_names),
        company_versions=frozenset(
            (each.journey, each.version) for each in known if _minds_company(each)
        ),
        anchors=frozenset(path.partition(".")[0] for each in known for path in each.live_traits),
    )


def _conditions(matches: Iterable[EventMatch]) -> Mapping[str, frozenset[str]]:
    """The conditions of those events that are never named without one."""
    asked: dict[str, set[str | None]] = {}
    for match in matches:
        asked.setdefault(match.event, set()).add(match.where)
    return {
        event: frozenset(where for where in wheres if where is not None)
        for event, wheres in asked.items()
        if None not in wheres
    }


def _minds_company(journey: Journey) -> bool:
    return bool(journey.company_event_names) or any(map(looks_at_company, journey.live_traits))
