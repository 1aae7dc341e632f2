"""Which format a recording is written in, and how its file is called where nobody said."""

import re
from datetime import UTC, datetime
from typing import Final

from pyrometer.errors import ConfigError
from pyrometer.formats import Format, format_of_path
from pyrometer.text import printable

# What can be asked for, py-spy's own names of two of them included.
FORMATS: Final[dict[str, Format]] = {
    "collapsed": Format.COLLAPSED,
    "pprof": Format.PPROF,
    "speedscope": Format.SPEEDSCOPE,
    "html": Format.HTML,
    "otlp": Format.OTLP,
    "raw": Format.COLLAPSED,
    "flamegraph": Format.HTML,
}
DEFAULT_FORMAT: Final = Format.HTML
SUFFIXES: Final[dict[Format, str]] = {
    Format.COLLAPSED: ".collapsed.txt",
    Format.PPROF: ".pb.gz",
    Format.SPEEDSCOPE: ".speedscope.json",
    Format.HTML: ".html",
    Format.OTLP: ".otlp",
}
NAME_LENGTH_MAX: Final = 60


def choose_format(name: str | None, output: str | None) -> Format:
    """
    Return the format that was asked for by name, else the one the file's suffix stands for.

    Raises:
        ConfigError: If the suffix stands for none.
    """
    if name is not None:
        return FORMATS[name]
    if output is None:
        return DEFAULT_FORMAT
    found = format_of_path(output)
    if found is None:
        raise ConfigError(
            f"the name {printable(output)} does not tell the format: add -f collapsed, pprof, speedscope or html, "
            f"or end it in {', '.join(SUFFIXES.values())}"
        )
    return found


def default_output(service: str, moment_unix_ns: int, chosen: Format) -> str:
    """Return a file name in the working directory that says what was recorded, and when (UTC)."""
    moment = datetime.fromtimestamp(moment_unix_ns // 1_000_000_000, tz=UTC)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", service).strip("._-")[:NAME_LENGTH_MAX] or "profile"
    return f"{safe}-{moment:%Y%m%dT%H%M%SZ}{SUFFIXES[chosen]}"
