"""What the processes say about themselves, all of it to standard error.

Decides form and loudness: lines for a person or JSON for a collector, ours and those of
the libraries alike. The surprising fact: the Temporal SDK's core writes its warnings to
standard output unless it is told otherwise before its first use, which would spoil what a
command prints, and stop a worker whose output nobody reads.
"""

import logging
import sys

import structlog
from structlog.typing import Processor
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
            return (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
        case LogFormat.CONSOLE:
            # Plain tracebacks: those with local variables would print customers' data.
            plain = structlog.dev.plain_traceback
            return (
                structlog.dev.ConsoleRenderer(
                    colors=sys.stderr.isatty(), exception_formatter=plain
                ),
            )


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
