"""``pyrometer detect``: where did a series change?"""

import collections
import sys
from pathlib import Path
from typing import Final, Literal

import click

from collector.changes_output import WRITERS, row_of
from collector.detect.series import SeriesSettings, SeriesState, detect_changes
from collector.series_csv import SeriesCsv
from pyrometer.errors import ConfigError

_DIRECTIONS: Final[dict[str, Literal["up", "down"] | None]] = {"up": "up", "down": "down", "both": None}


@click.command("detect", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--csv",
    "csv_path",
    metavar="FILE",
    required=True,
    help="Columns series, timestamp, value and, if wanted, weight (the samples behind a value); - for standard input.",
)
@click.option(
    "-f", "--format", "output_format", type=click.Choice(list(WRITERS)), default="text", show_default=True,
    help="How to print the changes; json is one object a line.",
)  # fmt: skip
@click.option(
    "--direction", type=click.Choice(list(_DIRECTIONS)), default="both", show_default=True,
    help="Which changes to report.",
)  # fmt: skip
@click.option(
    "--fdr", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.01, show_default=True,
    help="Share of changes made by chance that is accepted among those reported.",
)  # fmt: skip
@click.option(
    "--min-effect", type=click.FloatRange(min=0), default=0.0, show_default=True,
    help="Report no change smaller than this share of the level before: 0.05 is 5%.",
)  # fmt: skip
@click.pass_context
def command(  # noqa: PLR0917 - click passes them by name
    context: click.Context, csv_path: str, output_format: str, direction: str, fdr: float, min_effect: float
) -> None:
    """
    Find every change of level along each series of a CSV file, without a collector.

    Timestamps are RFC 3339 or seconds since the epoch, evenly spaced or not. A row that cannot be read is named with
    its line on the standard error, the rest is used, and the exit code is 1.

    Example: pyrometer detect --csv history.csv --format json
    """
    content = _read(csv_path)
    settings = SeriesSettings(false_discovery_rate=fdr, effect_min=min_effect, direction=_DIRECTIONS[direction])
    findings = detect_changes(content.series(), settings)
    rows = (row_of(change, has_dates=content.has_dates(change.series)) for change in findings.changes)
    WRITERS[output_format](rows, sys.stdout)
    for row in content.broken:
        click.echo(f"line {row.line}: {row.reason}; left out", err=True)
    click.echo(_summary(findings.states, len(findings.changes), content.n_broken), err=True)
    context.exit(1 if content.n_broken else 0)


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
