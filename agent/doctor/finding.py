"""One line of the doctor's report."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EXIT_OK: Final = 0
EXIT_FAILURE: Final = 1
EXIT_RIGHTS: Final = 3


class Level(StrEnum):
    """How bad it is: as it should be, something is not seen, or the agent cannot do its work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What was found out about one thing.

    Attributes:
        topic: A short name of it.
        level: How bad it is.
        text: What was found; one line.
        mend: What to do; empty where nothing is to be done.
        is_right: It is a right that is missing.
    """

    topic: str
    level: Level
    text: str
    mend: str = ""
    is_right: bool = False


def ok(topic: str, text: str) -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(topic=topic, level=Level.OK, text=text)


def warn(topic: str, text: str, mend: str) -> Finding:
    """Return a finding of something that the agent does without."""
    return Finding(topic=topic, level=Level.WARN, text=text, mend=mend)


def fail(topic: str, text: str, mend: str, *, is_right: bool = False) -> Finding:
    """Return a finding of something that the agent cannot do its work without."""
    return Finding(topic=topic, level=Level.FAIL, text=text, mend=mend, is_right=is_right)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 where nothing failed, 3 where a right is missing, 1 else."""
    failed = [finding for finding in findings if finding.level is Level.FAIL]
    if any(finding.is_right for finding in failed):
        return EXIT_RIGHTS
    return EXIT_FAILURE if failed else EXIT_OK
