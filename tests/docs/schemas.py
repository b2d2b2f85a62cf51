"""What editors are told, made anew from the models and from the tables of the docs.

    make schemas

A key's meaning is written once, in docs/journey-language.md, and goes from there into
`authoring/meanings.json` (which is installed, as the docs are not) and into docs/schemas/.
The files of `journeys/` get the comment by which editors find their schema.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from authoring.json_schema import FILES, MEANINGS, as_text, schema_of
from authoring.scenario_lines import Get, Happening
from authoring.sentences import keys_of
from engine.computable import ComputedTrait
from engine.definition import AfterEvent, EndMatch, EventMatch, GoalMatch
from engine.fields import TRANSITIONS
from engine.policy import PolicyTracking
from tests.docs.pages import Page, page, words
from tests.docs.test_lists import LANGUAGE, MODELS
from tests.lint.checkout import ROOT

SCHEMAS = ROOT / "docs" / "schemas"

# The tables of several models, and those that list fewer keys than their model has.
_MORE: Mapping[str, tuple[type[BaseModel], ...]] = {
    "Events": (EventMatch, EndMatch, GoalMatch, AfterEvent),
    "What happens": (Happening,),
    "What they get": (Get,),
    "Tracking keys": (PolicyTracking,),
}
COMMENT = "# yaml-language-server: $schema="
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def meanings(told: Page) -> dict[str, dict[str, str]]:
    """By model, what its keys mean, without the links that only a page can have."""
    found: dict[str, dict[str, str]] = {}
    for heading, models in [*((each, (model,)) for each, model in MODELS.items()), *_MORE.items()]:
        rows = told.table(heading, "key")
        said = {key: _LINK.sub(r"\1", row[1]) for row in rows for key in words(row[0])}
        for model in models:
            keys = (*keys_of(model), *(TRANSITIONS if issubclass(model, EventMatch) else ()))
            found[model.__name__] = {key: said[key] for key in keys if key in said}
    return found | {ComputedTrait.__name__: _of_traits(told)}


def _of_traits(told: Page) -> dict[str, str]:
    """Those have a table of their kinds, which are keys too, and one of the other keys."""
    kinds = told.table("Computed traits", "kind")
    keys = told.table("Computed traits", "key")
    rows = [*((row[0], f"the trait is {row[1]}") for row in kinds), *((r[0], r[1]) for r in keys)]
    said = {words(cell)[0]: _LINK.sub(r"\1", meaning) for cell, meaning in rows}
    return {key: said[key] for key in keys_of(ComputedTrait) if key in said}


def meanings_text() -> str:
    return json.dumps(meanings(page(LANGUAGE)), indent=2, ensure_ascii=False) + "\n"


def our_files() -> list[tuple[str, Path]]:
    """The files of `journeys/` that have a schema, each with its name."""
    return [
        (file, path) for file in FILES for path in sorted((ROOT / "journeys").rglob(f"{file}.yaml"))
    ]


def comment(file: str, path: Path) -> str:
    """The line by which an editor finds the schema of this file, wherever the clone lies."""
    return f"{COMMENT}{Path(os.path.relpath(SCHEMAS / f'{file}.json', path.parent)).as_posix()}\n"


def stale() -> Iterable[str]:
    """The files that are not what the models and the docs say."""
    if MEANINGS.read_text(encoding="utf-8") != meanings_text():
        yield MEANINGS.relative_to(ROOT).as_posix()
    for file in FILES:
        path = SCHEMAS / f"{file}.json"
        if not path.is_file() or path.read_text(encoding="utf-8") != as_text(schema_of(file)):
            yield path.relative_to(ROOT).as_posix()
    for file, path in our_files():
        if not path.read_text(encoding="utf-8").startswith(comment(file, path)):
            yield path.relative_to(ROOT).as_posix()


def write() -> None:
    MEANINGS.write_text(meanings_text(), encoding="utf-8")
    SCHEMAS.mkdir(exist_ok=True)
    for file in FILES:
        path = SCHEMAS / f"{file}.json"
        path.write_text(as_text(schema_of(file)), encoding="utf-8")
    for file, path in our_files():
        text = path.read_text(encoding="utf-8")
        if text.startswith(COMMENT):
            text = text.partition("\n")[2]
        path.write_text(comment(file, path) + text, encoding="utf-8")


if __name__ == "__main__":
    write()
