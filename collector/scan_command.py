"""What ``pyrometer detect`` does without ``--csv``: a scan of the services that a collector knows."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from collector.scan_output import finding_lines, funnel_lines, json_lines, note_lines
from pyrometer.api_detect import DetectAnswer
from pyrometer.client import ApiError, CollectorClient
from pyrometer.client_options import client_of
from pyrometer.errors import TargetNotFoundError
from pyrometer.text import printable

FORMATS: Final = ("table", "json")
# Most findings of one service.
_FINDINGS_MAX: Final = 1000


def scan_services(
    service: str | None, *, since: str, improvements: bool, record: bool, output_format: str, **flags: Any
) -> list[str]:
    """
    Scan one service or all, print what is found, and return the services that could not be scanned.

    Args:
        service: Its name; None for all that were seen since then.
        since: Start of the range, such as ``14d`` or a time in RFC 3339.
        improvements: Whether to tell what got better too.
        record: Whether the collector shall keep what is found.
        output_format: One of FORMATS.
        flags: Those of ``client_of``.

    Raises:
        TargetNotFoundError: If there is no service.
        PyrometerError: If the collector does not answer.
    """
    client = client_of(**flags)
    start = since if since.startswith("-") or not since[:1].isdigit() or "T" in since else f"-{since}"
    names = [service] if service else [row.service for row in client.services(start).services]
    if not names:
        raise TargetNotFoundError(f"the collector saw no service since {start}; look further back with --since")
    answers, failed = _scan(client, names, start, improvements=improvements, record=record)
    if output_format == "json":
        for line in json_lines(answers):
            click.echo(line)
    else:
        for line in finding_lines(answers):
            click.echo(line)
        click.echo()
    for line in [*note_lines(answers), "", *funnel_lines(answers)]:
        click.echo(line, err=output_format == "json")
    return failed


def _scan(
    client: CollectorClient, names: Sequence[str], start: str, *, improvements: bool, record: bool
) -> tuple[list[DetectAnswer], list[str]]:
    answers, failed = [], []
    with click.progressbar(names, label=f"{len(names):,} services", file=sys.stderr) as progress:
        for name in progress:
            try:
                answers.append(
                    client.detect(name, start, improvements=improvements, limit=_FINDINGS_MAX, record=record)
                )
            except ApiError as error:
                failed.append(f"{printable(name)}: {printable(error.problem.detail)}")
    return answers, failed
