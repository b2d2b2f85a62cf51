"""What the processes say about themselves, all of it to standard error.

Decides form and loudness: lines for a person or JSON for a collector, ours and those of
the libraries alike. An error is told by where it was and what kind it is, never by its text,
which may quote a customer: a database names the row, a `KeyError` the key. The surprising
fact: the Temporal SDK's core writes its warnings to standard output unless it is told
otherwise before its first use, which would spoil what a command prints, and stop a worker
whose output nobody reads.
"""

import logging
import sys
import traceback

import structlog
from structlog.typing import ExcInfo, Processor
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from settings import LogFormat

_CORE = logging.getLogger("temporalio.core")

_SHARED: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def _without_text(exc_info: ExcInfo) -> str:
    """A traceback: each error's kind and where it was raised, the cause of all last."""
    lines: list[str] = []
    error: BaseException | None = exc_info[1]
    told: set[int] = set()  # a chain may be a ring
    while error is not None and id(error) not in told:
        told.add(id(error))
        lines += [f"{type(error).__module__}.{type(error).__qualname__}\n"]
        lines += traceback.format_tb(error.__traceback__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines).rstrip()


_WITHOUT_TEXT = structlog.processors.ExceptionRenderer(_without_text)


def configure_logs(form: LogFormat, level: int = logging.INFO) -> None:
    """Once a process, before anything connects to Temporal. `level` is the quietest shown."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_last(form),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    # Our own rooms may say more than the libraries.
    logging.getLogger("parcours").setLevel(level)
    _forward_core(level)


def _last(form: LogFormat) -> tuple[Processor, ...]:
    match form:
        case LogFormat.JSON:
            return (_WITHOUT_TEXT, structlog.processors.JSONRenderer())
        case LogFormat.CONSOLE:
            return (_WITHOUT_TEXT, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))


def _forward_core(level: int) -> None:
    core_level = "ERROR" if level >= logging.ERROR else "WARN"
    _CORE.setLevel(core_level)
    Runtime.set_default(
        Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(
                    filter=TelemetryFilter(core_level=core_level, other_level="ERROR"),
                    forwarding=LogForwardingConfig(logger=_CORE),
                )
            )
        ),
        error_if_already_set=False,
    )
