"""What the collector says on stderr: lines for people, or one JSON object a line for machines."""

import datetime as dt
import json
import logging
import sys
import traceback
from typing import Final

_LEVELS: Final = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
LEVELS: Final = tuple(_LEVELS)
FORMATS: Final = ("console", "json")


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object: time (RFC 3339, UTC), level, logger, message, exception if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; whatever the message holds, it is one line of ASCII."""
        entry = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(entry)


def set_up_logs(level: str, form: str) -> None:
    """Send all records from *level* (of LEVELS) on to stderr, in a form of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else plain)
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # Its warnings carry tracebacks; what they say comes to us as errors too.
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
