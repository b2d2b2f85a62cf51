"""docs/cli.md has every option of every command, and no other."""

import re

import typer

from cli.main import app
from tests.lint.checkout import ROOT

_OPTION = re.compile(r"--[a-z][a-z-]+")


def options() -> set[str]:
    """Every option of every command, `--help` aside."""

    def walk(command: object) -> set[str]:
        found = {name for each in getattr(command, "params", ()) for name in each.opts}
        for each in getattr(command, "commands", {}).values():
            found |= walk(each)
        return {name for name in found if name.startswith("--")}

    return walk(typer.main.get_command(app)) - {"--help"}


def test_the_page_has_every_option_and_no_other() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert set(_OPTION.findall(text)) - {"--help"} == options()
    assert {"--events", "--stay", "--on-temporal"} <= options()
