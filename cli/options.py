"""Options that several commands share, worded once.

The variables are those of `settings.py`; a test compares the names.
"""

from pathlib import Path
from typing import Annotated

import typer

_JOURNEYS_VARIABLE = "PARCOURS_JOURNEYS_DIR"

JourneysArgument = Annotated[
    Path,
    typer.Argument(
        metavar="[DIR]", help="The journeys folder.", envvar=_JOURNEYS_VARIABLE, show_envvar=False
    ),
]
JourneysOption = Annotated[
    Path,
    typer.Option(
        "--journeys",
        metavar="DIR",
        help="The journeys folder.",
        envvar=_JOURNEYS_VARIABLE,
        show_envvar=False,
    ),
]
JOURNEYS = Path("journeys")
