"""`parcours schema`: the JSON Schema of a file of the journeys folder, for editors.

Decides where it goes; what it says is `authoring.json_schema`'s.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import TroubleError


class File(StrEnum):
    """The files that have one."""

    JOURNEY = "journey"
    POLICY = "policy"
    SCENARIOS = "scenarios"


FileArgument = Annotated[File, typer.Argument(metavar="FILE", help="journey, policy or scenarios.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write it here instead of printing it."),
]


def schema(file: FileArgument, output: OutputOption = None) -> None:
    """Print the JSON Schema of `journey.yaml`, `policy.yaml` or `scenarios.yaml`."""
    from authoring.json_schema import as_text, schema_of

    text = as_text(schema_of(file))
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TroubleError(f"`{output}` can't be written: {error.strerror or error}") from error
    print(f"{output}: the schema of {file}.yaml")
