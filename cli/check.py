"""`parcours check`: every mistake of a journeys folder, each with file and line.

Decides how mistakes are printed; what is one is `authoring`'s to say. A folder without a
mistake has its scenarios played by the simulator, and one that comes out otherwise than it
says is a mistake too; only here, so that a scenario out of date stops no publication.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.errors import WRONG_INPUT, WrongInputError
from cli.options import JOURNEYS, JourneysArgument

if TYPE_CHECKING:
    from authoring.folder import LoadedJourneys
    from authoring.mistakes import Mistake


def check(folder: JourneysArgument = JOURNEYS) -> None:
    """Name every mistake in a journeys folder, and play its scenarios."""
    from authoring.mistakes import JourneysInvalid
    from cli.scenarios import differences

    try:
        loaded = load(folder)
        if wrong := differences(loaded):
            raise JourneysInvalid(wrong)
    except JourneysInvalid as invalid:
        print("\n".join(in_words(folder, invalid.mistakes)))
        raise typer.Exit(WRONG_INPUT) from None
    print("\n".join([*warnings(folder, loaded), summary(loaded)]))


def load_or_leave(folder: Path) -> LoadedJourneys:
    """The folder, checked, for commands that need it; with a mistake in it, they end here."""
    from authoring.mistakes import JourneysInvalid

    try:
        return load(folder)
    except JourneysInvalid as invalid:
        print("\n".join(in_words(folder, invalid.mistakes)), file=sys.stderr)
        raise typer.Exit(WRONG_INPUT) from None


def load(folder: Path) -> LoadedJourneys:
    """The folder, checked. Raises WrongInputError if there is none, JourneysInvalid."""
    from authoring.folder import load_journeys

    if not folder.is_dir():
        raise WrongInputError(f"there is no folder `{folder}`: name the one with `policy.yaml`")
    return load_journeys(folder)


def in_words(folder: Path, mistakes: Iterable[Mistake]) -> list[str]:
    """A line for each, its file as it is reached from here, and how many there are."""
    lines = [f"{folder / mistake.file}{_rest(mistake)}" for mistake in mistakes]
    return [*lines, f"{_count(len(lines), 'mistake')} in {folder}"]


def warnings(folder: Path, loaded: LoadedJourneys) -> list[str]:
    """What is allowed and probably not meant, a line each."""
    return [f"{folder / each.file}{_rest(each, 'warning: ')}" for each in loaded.warnings]


def _rest(mistake: Mistake, kind: str = "") -> str:
    line = "" if mistake.line is None else f":{mistake.line}"
    return f"{line}: {kind}{mistake.message}"


def summary(loaded: LoadedJourneys) -> str:
    """That it is right, and how much there is."""
    scenarios = sum(len(each.scenarios) for each in loaded.journeys.values())
    names = ", ".join(loaded.journeys)
    return (
        f"ok: {names} ({_count(scenarios, 'scenario')}, {_count(len(loaded.warnings), 'warning')})"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
