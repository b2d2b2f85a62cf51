"""`parcours new`: a journey of one's own, from one of the library.

Decides what is told; what the copy holds is `cli.copying`'s. The surprising fact: the copy is
made and checked aside, in a hidden folder that no reader of journeys looks into, so that a
folder with a mistake in it is left as it was, letter for letter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import WRONG_INPUT, WrongInputError
from cli.options import JOURNEYS, JourneysOption

if TYPE_CHECKING:
    from cli.copying import Copied, Copyable, NotCopied


def new(
    journey: Annotated[
        str | None, typer.Argument(metavar="JOURNEY", help="What it is to be called.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="The journey to copy; `--list` names them."),
    ] = None,
    folder: JourneysOption = JOURNEYS,
    without_scenarios: Annotated[
        bool, typer.Option("--without-scenarios", help="Leave its scenarios out.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Name the journeys of the library, and copy nothing.")
    ] = False,
) -> None:
    """Copy a journey of the library into the journeys folder, with what it needs."""
    from cli.copying import NotCopied, copy_journey, copyable

    if not folder.is_dir():
        raise WrongInputError(f"there is no folder `{folder}`: name the one with `policy.yaml`")
    found = copyable(folder)
    if listed:
        print("\n".join(_list(found, folder)))
        return
    if journey is None or source is None:
        raise WrongInputError(
            "write what it is to be called and what to copy, such as `parcours new my-trial "
            "--from trial-onboarding`; `parcours new --list` names what there is"
        )
    chosen = _chosen(found, source, folder)
    _check_name(journey, folder)
    try:
        copied = copy_journey(folder, chosen, journey, with_scenarios=not without_scenarios)
    except NotCopied as refused:
        print("\n".join(_refused(refused, folder, journey)))
        raise typer.Exit(WRONG_INPUT) from None
    print("\n".join(_told(copied, chosen, folder)))


def _chosen(found: dict[str, Copyable], name: str, folder: Path) -> Copyable:
    from authoring.sentences import did_you_mean

    if name in found:
        return found[name]
    hint = did_you_mean(name, [*found], "there is")
    listing = "\n".join(_list(found, folder))
    raise WrongInputError(f"there is no journey `{name}` to copy{hint}\n{listing}")


def _check_name(journey: str, folder: Path) -> None:
    from authoring.folder import LIBRARY
    from engine.fields import check_name

    try:
        check_name(journey)
    except ValueError as error:
        raise WrongInputError(str(error)) from error
    if journey == LIBRARY:
        raise WrongInputError(f"`{LIBRARY}/` is where examples are: call the journey otherwise")
    if (folder / journey).exists():
        raise WrongInputError(f"there is a `{folder / journey}` already: call it otherwise")


def _list(found: dict[str, Copyable], folder: Path) -> list[str]:
    from authoring.folder import LIBRARY

    if not found:
        return [f"there is nothing to copy: `{folder / LIBRARY}` has no journeys"]
    width = max(map(len, found))
    return [f"{name:<{width}}  {each.title}" for name, each in found.items()]


def _refused(refused: NotCopied, folder: Path, journey: str) -> list[str]:
    from cli.check import in_words

    lines = in_words(folder, refused.mistakes)
    if any(each.file == f"{journey}/scenarios.yaml" for each in refused.mistakes):
        lines += _differing(refused.differing, folder)
        lines.append(
            "its scenarios come out otherwise by your policy: change that, or leave them out with "
            "`--without-scenarios` and write your own"
        )
    return [*lines, "nothing was written"]


def _told(copied: Copied, chosen: Copyable, folder: Path) -> list[str]:
    from cli.check import summary, warnings

    return [
        f"{folder / copied.name}: copied from {chosen.path}",
        *(
            f"{folder / 'policy.yaml'}: {section}: added {_names(names)}"
            for section, names in copied.added.items()
        ),
        *_differing(copied.differing, folder),
        *warnings(folder, copied.loaded),
        summary(copied.loaded),
    ]


def _differing(differing: dict[str, list[str]], folder: Path) -> list[str]:
    return [
        f"{folder / 'policy.yaml'}: {section}: {_names(names)} is not as in the library, so the "
        "journey may not do the same"
        for section, names in differing.items()
    ]


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
