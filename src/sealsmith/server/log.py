"""The log of a running server: one JSON object a line on standard error, whoever writes it."""

import logging
import sys
from contextlib import suppress
from typing import Any

import structlog


class Log:
    """A log of structlog's, for a server: a line it cannot write, its disk full, is lost, and fails no request."""

    def __init__(self, name: str):
        self._log = structlog.get_logger(name)

    def info(self, event: str, **facts: Any) -> None:
        with suppress(OSError):
            self._log.info(event, **facts)

    def warning(self, event: str, **facts: Any) -> None:
        with suppress(OSError):
            self._log.warning(event, **facts)

    def exception(self, event: str, **facts: Any) -> None:
        """With the error that is being handled."""
        with suppress(OSError):
            self._log.exception(event, **facts)


def set_up_log(level: int = logging.INFO) -> None:
    """Has structlog, and what uses Python's logging (the engine's client, uvicorn), write lines of JSON.

    For a process that is a server; who embeds the app sets up what they like.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # the id of the request that is being answered
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
