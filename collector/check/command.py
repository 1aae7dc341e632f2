"""``pyrometer check``: is this release dearer or slower than that one?"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from collector.check.from_collector import check_releases
from collector.check.from_profiles import check_profiles
from collector.check.machine import report_json, report_junit, report_sarif
from collector.check.report import Report
from collector.check.text import markdown_lines, text_lines
from pyrometer.client_options import client_of, collector_options
from pyrometer.errors import REGRESSION_FOUND, ConfigError


def _joined(lines: Callable[[Report], Iterator[str]]) -> Callable[[Report], str]:
    return lambda report: "\n".join(lines(report))


_FORMATS: Final[dict[str, Callable[[Report], str]]] = {
    "text": _joined(text_lines),
    "json": report_json,
    "markdown": _joined(markdown_lines),
    "junit": report_junit,
    "sarif": report_sarif,
}


@click.command("check", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--service", metavar="NAME", help="Whose releases; without it, profile files are compared.")
@click.option(
    "--baseline", metavar="VERSION|FILE", required=True, multiple=True,
    help="The release to compare with; or a profile file, once for each run.",
)  # fmt: skip
@click.option(
    "--candidate", metavar="VERSION|FILE", required=True, multiple=True,
    help="The release that is judged; or a profile file, once for each run.",
)  # fmt: skip
@click.option(
    "--start", metavar="TIME", default="-1d", show_default=True,
    help="How far to look back: -6h, or a time in RFC 3339.",
)  # fmt: skip
@click.option("-f", "--format", "form", type=click.Choice(list(_FORMATS)), default="text", show_default=True)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="Write there, and a line on the standard output.",
)  # fmt: skip
@click.option(
    "--fail-on-regression/--no-fail-on-regression", "fails", default=True, show_default=True,
    help="Exit with 5 where there is a regression.",
)  # fmt: skip
@collector_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    service: str | None,
    baseline: tuple[str, ...],
    candidate: tuple[str, ...],
    start: str,
    form: str,
    output: Path | None,
    fails: bool,
    **flags: Any,
) -> None:
    """
    Compare two releases that a collector knows: CPU of each function, latency and errors of each operation. Or, without
    --service, profile files: own CPU of each function, each file one run of the same work, three or more a side.

    Every change is given with its interval, its p-value after correction for all that was tested, and, of releases, its
    price a month. Exit codes: 0 no regression (or not enough data to tell), 5 regression.

    Example: pyrometer check --service shop --baseline 1.4.0 --candidate 1.5.0 --format markdown

    Example: pyrometer check --baseline old1.pb.gz --baseline old2.pb.gz --baseline old3.pb.gz --candidate new1.pb.gz
    --candidate new2.pb.gz --candidate new3.pb.gz
    """
    if service is None:
        report = check_profiles([Path(name) for name in baseline], [Path(name) for name in candidate])
    else:
        versions = _one(baseline, "--baseline"), _one(candidate, "--candidate")
        report = check_releases(client_of(**flags), service, *versions, start)
    text = _FORMATS[form](report)
    if output is None:
        click.echo(text)
    else:
        try:
            output.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{output}: cannot be written: {error.strerror}") from None
        click.echo(f"{next(text_lines(report))}; written to {output}")
    if fails and report.verdict == "regression":
        context.exit(REGRESSION_FOUND)


def _one(values: tuple[str, ...], flag: str) -> str:
    if len(values) > 1:
        raise ConfigError(f"{flag} is given {len(values)} times; with --service it names one release")
    return values[0]
