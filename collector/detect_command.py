"""``pyrometer detect``: where did a series change?"""

import collections
import sys
from pathlib import Path
from typing import Any, Final, Literal

import click
from click.core import ParameterSource

from collector import scan_command
from collector.changes_output import WRITERS, row_of
from collector.detect.series import SeriesSettings, SeriesState, detect_changes
from collector.series_csv import SeriesCsv
from pyrometer.client_options import collector_options
from pyrometer.errors import ConfigError

_DIRECTIONS: Final[dict[str, Literal["up", "down"] | None]] = {"up": "up", "down": "down", "both": None}
_FORMATS: Final = ("text", "table", "json", "csv")
_OF_CSV: Final = ("direction", "fdr", "min_effect")
_OF_SCAN: Final = (
    "since",
    "service",
    "improvements",
    "record",
    "url",
    "token_file",
    "ca_file",
    "certificate_file",
    "timeout_s",
)


@click.command("detect", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--since", metavar="TIME", default="14d", show_default=True,
    help="Scan what the collector stored since then: 14d, 6h, or a time in RFC 3339.",
)  # fmt: skip
@click.option("--service", metavar="NAME", help="Only this service.  [default: all]")
@click.option("--improvements", is_flag=True, help="Tell what got better, too.")
@click.option("--record", is_flag=True, help="Have the collector keep what got worse: one regression for each cause.")
@click.option(
    "--csv",
    "csv_path",
    metavar="FILE",
    help="Ask no collector: read series from a file with the columns series, timestamp, value and, if wanted, weight"
    " (the samples behind a value); - for standard input.",
)
@click.option(
    "-f", "--format", "output_format", type=click.Choice(_FORMATS),
    help="table or json for a scan; text, json or csv with --csv; json is one object a line."
)  # fmt: skip
@click.option(
    "--direction", type=click.Choice(list(_DIRECTIONS)), default="both", show_default=True,
    help="With --csv: which changes to report.",
)  # fmt: skip
@click.option(
    "--fdr", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.01, show_default=True,
    help="With --csv: share of changes made by chance that is accepted among those reported.",
)  # fmt: skip
@click.option(
    "--min-effect", type=click.FloatRange(min=0), default=0.0, show_default=True,
    help="With --csv: report no change smaller than this share of the level before: 0.05 is 5%.",
)  # fmt: skip
@collector_options
@click.pass_context
def command(context: click.Context, /, *, csv_path: str | None, output_format: str | None, **options: Any) -> None:
    """
    Find what changed: in every service that a collector knows, or along each series of a CSV file.

    A scan looks at the own CPU of each function, at latency and errors of each operation, and at each service as a
    whole: did it change over time, or with the last release? Progress goes to the standard error. A service that could
    not be scanned is named there, and the exit code is 1.

    With --csv, timestamps are RFC 3339 or seconds since the epoch, evenly spaced or not. A row that cannot be read is
    named with its line on the standard error, the rest is used, and the exit code is 1.

    Examples: pyrometer detect --since 7d --service shop;  pyrometer detect --csv history.csv --format json
    """
    is_scan = csv_path is None
    formats = scan_command.FORMATS if is_scan else tuple(WRITERS)
    for name in _OF_CSV if is_scan else _OF_SCAN:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = {"url": "collector", "timeout_s": "timeout"}.get(name, name).replace("_", "-")
            raise click.UsageError(f"--{option} is for {'--csv' if is_scan else 'a scan: leave out --csv'}")
    if output_format is not None and output_format not in formats:
        raise click.UsageError(f"--format {output_format} is not for this; {' or '.join(formats)} is")
    chosen = output_format or formats[0]
    if csv_path is None:
        scan_options = {name: value for name, value in options.items() if name not in _OF_CSV}
        failed = scan_command.scan_services(output_format=chosen, **scan_options)
        for line in failed:
            click.echo(f"not scanned: {line}", err=True)
        context.exit(1 if failed else 0)
    settings = SeriesSettings(
        false_discovery_rate=options["fdr"],
        effect_min=options["min_effect"],
        direction=_DIRECTIONS[options["direction"]],
    )
    context.exit(1 if _search_csv(csv_path, settings, chosen) else 0)


def _search_csv(csv_path: str, settings: SeriesSettings, output_format: str) -> int:
    """Print the changes along each series of a file, and return how many rows could not be read."""
    content = _read(csv_path)
    findings = detect_changes(content.series(), settings)
    rows = (row_of(change, has_dates=content.has_dates(change.series)) for change in findings.changes)
    WRITERS[output_format](rows, sys.stdout)
    for row in content.broken:
        click.echo(f"line {row.line}: {row.reason}; left out", err=True)
    click.echo(_summary(findings.states, len(findings.changes), content.n_broken), err=True)
    return content.n_broken


def _read(csv_path: str) -> SeriesCsv:
    if csv_path == "-":
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")  # type: ignore[union-attr]
        return SeriesCsv(sys.stdin)
    try:
        with Path(csv_path).open(encoding="utf-8-sig", errors="replace") as source:
            return SeriesCsv(source)
    except OSError as error:
        raise ConfigError(f"--csv {csv_path}: {error.strerror}") from error


def _summary(states: dict[str, SeriesState], n_changes: int, n_broken: int) -> str:
    counts = collections.Counter(states.values())
    parts = [f"{counts[state]:,} {state}" for state in SeriesState if counts[state]]
    line = f"{len(states):,} series ({', '.join(parts) or 'none'}); {n_changes:,} changes"
    return f"{line}; {n_broken:,} rows left out" if n_broken else line
