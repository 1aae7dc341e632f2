"""``pyrometer query``: the answer of any route of the query API, as a table, as JSON, or as Arrow."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec

from pyrometer.client_options import client_of, collector_options
from pyrometer.errors import PyrometerError
from pyrometer.text import printable

_MEDIA_TYPES: Final = {
    "table": "application/json",
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
}
# A longer cell is cut: a table is for reading.
_CELL_CHARS_MAX: Final = 60


@click.command("query", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("route")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--format", "form", type=click.Choice(list(_MEDIA_TYPES)), default="table", show_default=True)
@collector_options
def command(*, route: str, parameters: tuple[str, ...], form: str, url: str, **flags: Any) -> None:
    """
    Print what ROUTE of the query API answers, such as: pyrometer query functions service=checkout start=-1h

    The routes and their parameters are listed in docs/reference/api.md, and by the collector under /openapi.json.
    """
    body = client_of(url=url, **flags).raw(route, _named(parameters), media_type=_MEDIA_TYPES[form])
    if form == "arrow":
        if sys.stdout.isatty():
            raise click.UsageError("Arrow is not for a terminal: redirect it to a file")
        sys.stdout.buffer.write(body)
        return
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PyrometerError(f"{url} does not answer in JSON: is it a collector?") from error
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2))
    else:
        click.echo("\n".join(answer_lines(answer)))


def _named(parameters: tuple[str, ...]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in parameters:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{text!r} is not KEY=VALUE")
        if name in named:
            raise click.UsageError(f"{name} is given twice")
        named[name] = value
    return named


def answer_lines(answer: Any) -> Iterator[str]:
    """Return an answer as lines: its single values first, then each of its lists as a table under its name."""
    if not isinstance(answer, Mapping):
        yield _cell(answer)
        return
    tables = {name: value for name, value in answer.items() if _is_table(value)}
    for name, value in answer.items():
        if name not in tables:
            yield f"{_cell(name)}: {_cell(value)}"
    for name, rows in tables.items():
        yield ""
        yield _cell(name)
        yield from table_lines(rows)


def table_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Return rows as lines of aligned columns, numbers to the right, under the names of all keys in their order."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    heads = [_cell(name) for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    are_numbers = [all(_is_number(row.get(name)) for row in rows) for name in names]
    for line in (heads, *cells):
        padded = (
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(line, widths, are_numbers, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cell(value: Any) -> str:
    """Return a value as one line without control characters: names are hostile text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(value if isinstance(value, str) else msgspec.json.encode(value).decode(), _CELL_CHARS_MAX)
