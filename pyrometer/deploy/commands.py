"""``pyrometer deploy``: the command line."""

import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from pyrometer.api_events import TEXT_CHARS_MAX, EventBody
from pyrometer.client_options import client_of, collector_options
from pyrometer.deploy.mark import Touched, read_touched
from pyrometer.deploy.repository import CommitRange, Repository
from pyrometer.errors import ConfigError
from pyrometer.text import printable
from pyrometer.units import format_time

_SUFFIX: Final = "*.py"


@click.group("deploy", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Tell a collector of a release that is rolled out."""


@command.command("mark")
@click.option("--service", metavar="NAME", required=True, help="What is rolled out (service.name).")
@click.option("--version", metavar="VERSION", required=True, help="Which release (service.version).")
@click.option("--environment", metavar="NAME", default="", help="Where to (deployment.environment.name).")
@click.option(
    "--git",
    "commits",
    metavar="RANGE",
    help="What it brings, such as v1.4.0..v1.5.0, or v1.4.0: until HEAD.",
)
@click.option(
    "--repository", metavar="DIR", type=click.Path(path_type=Path), default=".", help="Where.  [default: this folder]"
)
@click.option("--time", "at", metavar="TIME", help="When, in RFC 3339, or -5m.  [default: now]")
@click.option("--title", metavar="TEXT", default="", help="For people.")
@click.option("--url", "link", metavar="URL", default="", help="For people: of the pipeline or the pull request.")
@click.option("--id", "event_id", metavar="ID", help="Told again with the same id, it replaces itself.")
@click.option("--with-diff", is_flag=True, help="Send the difference as text too: source code.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@collector_options
def mark(
    *,
    service: str,
    version: str,
    environment: str,
    commits: str | None,
    repository: Path,
    at: str | None,
    title: str,
    link: str,
    event_id: str | None,
    with_diff: bool,
    dry_run: bool,
    **flags: Any,
) -> None:
    """
    Tell of a deploy: which release of which service, and which functions it touches.

    With --git, the repository is read here: subjects of commits, and names, files and lines of the functions that
    differ are sent; no source, unless --with-diff asks for it. The token needs the role ingest.

    Example: pyrometer deploy mark --service shop --version 1.5.0 --git v1.4.0..v1.5.0
    """
    if with_diff and commits is None:
        raise click.UsageError("--with-diff needs --git RANGE")
    folder = Repository(repository)
    span = None if commits is None else folder.resolve(commits)
    found = Touched(commits=[], functions=[], files=0, notes=[]) if span is None else read_touched(folder, span)
    body = _checked(
        {
            "kind": "deploy",
            "service": service,
            "version": version,
            "environment": environment,
            # Told now, and not when it arrives: sent again, it is the same event.
            "time": at or format_time(time.time_ns()),
            "title": title,
            "text": _diff(folder, span) if with_diff else "",
            "url": link,
            "source": "git" if span else "api",
            "id": event_id,
            "commits": found.commits,
            "functions": [msgspec.structs.asdict(row) for row in found.functions],
        }
    )
    for note in found.notes:
        click.echo(f"note: {printable(note)}", err=True)
    if dry_run:
        click.echo(msgspec.json.format(msgspec.json.encode(body), indent=2))
        return
    stored = client_of(**flags).post_event(body)
    brings = f": {len(body.commits):,} commits touch {len(body.functions):,} functions" if span else ""
    click.echo(f"deploy of {printable(service)} {printable(version)} marked as {printable(stored.id)}{brings}")


def _checked(fields: dict[str, Any]) -> EventBody:
    try:
        body = msgspec.convert(fields, EventBody)
        msgspec.json.encode(body)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise ConfigError(f"this deploy cannot be told of: {error}") from None
    return body


def _diff(folder: Repository, commits: CommitRange | None) -> str:
    return "" if commits is None else folder.diff(commits, pattern=_SUFFIX)[:TEXT_CHARS_MAX]
