"""The `parcours` command: one module a command, put together here.

Rules for whoever adds a command:

1. A command's module imports nothing heavy at its top: it is read for every `--help`, and
   sqlmodel, fastapi and temporalio cost a third of a second each. Import inside the command.
2. A command raises `cli.errors.CliError`, or an error that is listed there; it prints no
   error itself, and never calls `sys.exit`.
3. Results go to standard output, everything about them to standard error.
"""

import os
import sys
from typing import NoReturn

import typer

from cli import (
    api,
    archive,
    broadcast,
    check,
    customers,
    db,
    demo,
    dev,
    enroll,
    enrollments,
    importing,
    keys,
    new,
    offers,
    outbox,
    preview,
    publish,
    schema,
    send_test,
    simulate,
    stop,
    worker,
)
from cli.errors import INTERRUPTED, TROUBLE, exit_code, in_words

app = typer.Typer(
    name="parcours",
    help="Trigger marketing in which each customer's journey is a durable workflow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("dev")(dev.dev)
app.command("demo")(demo.demo)
app.command("new")(new.new)
app.command("check")(check.check)
app.command("schema")(schema.schema)
app.command("preview")(preview.preview)
app.command("simulate")(simulate.simulate)
app.command("publish")(publish.publish)
app.command("send-test")(send_test.send_test)
app.command("api")(api.api)
app.command("worker")(worker.worker)
app.command("enroll")(enroll.enroll)
app.command("stop")(stop.stop)
app.command("start")(stop.start)
app.command("stops")(stop.stops)
app.command("archive")(archive.archive)
app.command("unarchive")(archive.unarchive)
app.add_typer(broadcast.broadcast, name="broadcast")
app.add_typer(importing.imports, name="import")
app.add_typer(enrollments.enrollments, name="enrollments")
app.add_typer(customers.customers, name="customers")
app.add_typer(offers.offers, name="offers")
app.add_typer(outbox.outbox, name="outbox")
app.add_typer(db.db, name="db")
app.add_typer(keys.keys, name="keys")


def main() -> NoReturn:
    """Run the command and leave the process.

    Leaving is explicit: a program that has used a Temporal client aborts (code 134) in one
    of five ordinary exits, while the interpreter tears down under the client's threads.
    """
    code = run()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # whoever read us has gone
        code = code or TROUBLE
    os._exit(code)


def run() -> int:
    """The exit code of the command on the command line."""
    try:
        app()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else TROUBLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        code = exit_code(error)
        if code is None:
            sys.excepthook(type(error), error, error.__traceback__)
            return TROUBLE
        print(f"parcours: {in_words(error)}", file=sys.stderr)
        return code
    return 0
