"""The doctor's report, for a person and for a program."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from agent.doctor.finding import Finding, Level, exit_code
from pyrometer import __version__

_COLOURS: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def findings_to_text(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, the mend below it; colours are taken out again where there is no terminal."""
    width = max((len(finding.topic) for finding in findings), default=0)
    lines = []
    for finding in findings:
        mark = click.style(f"{finding.level:<4}", fg=_COLOURS[finding.level], bold=finding.level is not Level.OK)
        lines.append(f"{mark}  {finding.topic:<{width}}  {finding.text}")
        if finding.mend:
            lines.append(f"{'':<{width + 8}}mend: {finding.mend}")
    count = Counter(finding.level for finding in findings)
    lines.append(f"\n{count[Level.OK]} ok, {count[Level.WARN]} warnings, {count[Level.FAIL]} failed")
    return "\n".join(lines)


def findings_to_json(findings: Sequence[Finding]) -> str:
    """Return the same as JSON, with the exit code."""
    report = {
        "version": __version__,
        "exit_code": exit_code(findings),
        "findings": [
            {"topic": finding.topic, "level": finding.level.value, "text": finding.text, "mend": finding.mend}
            for finding in findings
        ],
    }
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
