"""Every command that a page tells the reader to type exists, and every command is documented."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from tests.docs.pages import Page, page, pages
from tests.lint.checkout import ROOT

# What else a reader is told to type; nobody's but the system's.
_FOREIGN = frozenset({"cp", "curl", "docker", "export", "git", "openssl", "temporal"})

_TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A leaf of `parcours`, or a group of them: its words, and the options it takes."""

    path: tuple[str, ...]
    is_group: bool
    options: frozenset[str]


def parcours() -> dict[tuple[str, ...], Command]:
    """Every command that `parcours` has, by its words."""
    return {each.path: each for each in _walk((), typer.main.get_command(app))}


def _walk(path: tuple[str, ...], command: Any) -> Iterator[Command]:
    below = getattr(command, "commands", {})
    options = {option for each in command.params for option in each.opts if option[0] == "-"}
    yield Command(path, bool(below), frozenset(options | {"--help"}))
    for name, each in below.items():
        yield from _walk((*path, name), each)


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))


def typed(told: Page) -> Iterator[str]:
    """Each command line of its `bash` blocks, whole."""
    for fence in told.fences("bash"):
        for line in fence.text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.strip().startswith("#"):
                yield line.strip()


def mentioned(told: Page) -> Iterator[str]:
    """What stands in backticks and begins with `make` or `parcours`."""
    return (word for word in told.code() if word.split()[0] in ("make", "parcours"))


def problem(line: str) -> str | None:
    """What is wrong with a command line, if anything is."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        return f"`{line}`: {error}"
    program = Path(words[0]).name
    match program:
        case "make":
            return _make_problem(line, words[1:])
        case "parcours":
            return _parcours_problem(line, words[1:])
        case "python":
            return _python_problem(line, words[1:])
        case _:
            return None if program in _FOREIGN else f"`{line}`: nobody knows `{program}`"


def _make_problem(line: str, words: list[str]) -> str | None:
    named = [word for word in words if "=" not in word]
    if unknown := [word for word in named if word not in targets()]:
        return f"`{line}`: there is no target {unknown}"
    args = next((word.partition("=")[2] for word in words if word.startswith("ARGS=")), "")
    if args and named[0] in ("demo", "dev"):
        return _parcours_problem(line, [named[0], *shlex.split(args)])
    return None


def _python_problem(line: str, words: list[str]) -> str | None:
    module = words[1] if words[:1] == ["-m"] and len(words) > 1 else ""
    path = ROOT.joinpath(*module.split("."))
    exists = module != "" and (
        path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
    )
    return None if exists else f"`{line}`: there is no such module"


def _parcours_problem(line: str, words: list[str]) -> str | None:
    known = parcours()
    path: tuple[str, ...] = ()
    for word in words:
        if (*path, word) not in known:
            break
        path = (*path, word)
    command = known[path]
    rest = words[len(path) :]
    if command.is_group and rest and not rest[0].startswith("-"):
        return f"`{line}`: there is no `parcours {' '.join([*path, rest[0]])}`"
    options = [word.partition("=")[0] for word in rest if word.startswith("-") and len(word) > 1]
    if unknown := [option for option in options if option not in command.options]:
        return f"`{line}`: there is no option {unknown}"
    return None


@pytest.mark.parametrize("told", pages(), ids=lambda each: each.name)
def test_every_command_that_is_told_exists(told: Page) -> None:
    lines = [*typed(told), *mentioned(told)]
    assert [wrong for line in lines if (wrong := problem(line))] == []


def test_the_readme_tells_the_two_commands_first() -> None:
    assert [*typed(page("README.md"))][:2] == ["make demo", "make test"]


def undocumented(told: Page) -> list[str]:
    """Commands that the page never names in code."""
    text = "\n".join([*told.code(), *typed(told), *(f.text for f in told.fences("text"))])
    names = [f"parcours {' '.join(path)}" for path, each in parcours().items() if not each.is_group]
    return [name for name in names if not re.search(rf"{re.escape(name)}(?![\w-])", text)]


def test_every_command_is_documented() -> None:
    told = page("docs/cli.md")
    assert undocumented(told) == []
    without = page("docs/cli.md", told.text.replace("parcours check", "parcours"))
    assert undocumented(without) == ["parcours check"]


@pytest.mark.parametrize(
    "line",
    [
        "make help",
        'make test ARGS="-k coupon"',
        "parcours check journeys",
        "parcours db upgrade",
        ".venv/bin/parcours simulate trial --events x.jsonl --json",
        "curl -u key: http://127.0.0.1:8080",
        ".venv/bin/python -m tests.workflows.recording",
    ],
)
def test_a_command_that_exists_passes(line: str) -> None:
    assert problem(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "make tests",
        "make test demmo",
        'make demo ARGS="--sty"',
        "parcours chekc",
        "parcours db downgrade",
        "parcours simulate trial --evnts x.jsonl",
        "parcuors check",
        "python -m tests.workflows.recoding",
        "python script.py",
        "parcours check 'unfinished",
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert problem(line) is not None


def test_a_page_is_read_for_commands_in_blocks_and_in_backticks() -> None:
    text = "Type `parcours chekc`.\n\n```bash\n# a note\nmake \\\n  tests\n```\n"
    told = Page("x.md", Path("x.md"), text)
    assert [*typed(told), *mentioned(told)] == ["make    tests", "parcours chekc"]
