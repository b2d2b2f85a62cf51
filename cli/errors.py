"""Trouble as the person at the terminal sees it: one clear line, and an exit code.

Decides which errors are theirs to read and which code the command leaves with: 2 for wrong
input, 1 for trouble. Everything else is a bug, and shows its traceback. The one surprising
fact: errors of other rooms are known here by name, because importing those rooms would make
`parcours --help` wait a second.
"""

from collections.abc import Mapping

WRONG_INPUT = 2
TROUBLE = 1
INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended: 128 + SIGINT


class CliError(Exception):
    """The root of what this room raises. Its text is for the person."""

    exit_code = TROUBLE


class WrongInputError(CliError):
    """What was typed, or a file that was named, is wrong; says what to write instead."""

    exit_code = WRONG_INPUT


class TroubleError(CliError):
    """The input was right, and yet it can't be done now."""


class StoppedError(CliError):
    """It was told to stop, and did so in order; says how to go on."""

    exit_code = INTERRUPTED


# Subclasses count too.
_TOLD: Mapping[str, int] = {
    "cli.errors.WrongInputError": WRONG_INPUT,
    "cli.errors.TroubleError": TROUBLE,
    "cli.errors.StoppedError": INTERRUPTED,
    "authoring.mistakes.JourneysInvalid": WRONG_INPUT,
    "settings.SettingsError": WRONG_INPUT,
    "store.database.StoreError": WRONG_INPUT,  # the URL that was given
    "store.database.StoreAwayError": TROUBLE,
    "store.overlap.StillUnderWayError": TROUBLE,
    "api.errors.ApiError": WRONG_INPUT,
    "worker.errors.WorkerError": TROUBLE,
    "worker.connection.TemporalUnreachableError": TROUBLE,
    # The store is away, or not what we think it is.
    "sqlalchemy.exc.SQLAlchemyError": TROUBLE,
    "temporalio.service.RPCError": TROUBLE,
    "builtins.ConnectionError": TROUBLE,
}


def exit_code(error: BaseException) -> int | None:
    """The code to leave with, if the error is for the person; None if it is a bug."""
    for each in type(error).__mro__:
        code = _TOLD.get(f"{each.__module__}.{each.__qualname__}")
        if code is not None:
            return code
    return None


def in_words(error: BaseException) -> str:
    """What to print. SQLAlchemy adds the statement and a link, which help nobody here."""
    original = getattr(error, "orig", None)
    text = str(original or error).strip() or type(error).__name__
    if type(error).__module__.startswith("sqlalchemy."):
        return f"the store can't be used: {text}"
    return text
