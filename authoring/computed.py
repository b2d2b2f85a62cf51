"""`traits` and `segments` of the policy file: their conditions, and the events they are made of.

What the model itself refuses (kinds, keys, names) is told by `shapes`. Reads the raw file,
so a mistake in one definition hides none in another.
"""

from collections.abc import Iterator
from typing import Any

from authoring.conditions import Known, check_condition, check_counted_name
from authoring.source import Loc, Source
from engine.computable import Kind
from rendering.conditions import Kind as ConditionKind


def check_computed(data: dict[str, object], source: Source) -> None:
    """Every mistake goes to `source`, which is that of the policy."""
    for loc, trait in _definitions(data, "traits"):
        for kind in Kind:
            if isinstance(event := trait.get(kind), str):
                check_counted_name(event, [*loc, kind.value], source)
        if isinstance(where := trait.get("where"), str):
            check_condition(where, [*loc, "where"], source, Known(), ConditionKind.TRAIT)
    for loc, segment in _definitions(data, "segments"):
        if isinstance(when := segment.get("when"), str):
            check_condition(when, [*loc, "when"], source, Known(), ConditionKind.SEGMENT)


def _definitions(data: dict[str, object], key: str) -> Iterator[tuple[Loc, dict[str, Any]]]:
    found = data.get(key)
    for name, definition in found.items() if isinstance(found, dict) else ():
        if isinstance(definition, dict):
            yield (key, str(name)), definition
