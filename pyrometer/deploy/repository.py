"""Reads what lies between two commits of a git repository: subjects, changed files, and their contents."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyrometer.errors import ConfigError, PyrometerError
from pyrometer.text import printable

_TIMEOUT_S: Final = 60.0
_NO_BLOB: Final = "0"
# Ordinary files; links and submodules have other modes.
_FILE_MODE: Final = "100"
_ENVIRONMENT: Final = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file that two commits differ in; a blob is empty where the file is not there."""

    path: str
    blob_before: str
    blob_after: str


@dataclass(frozen=True, slots=True)
class CommitRange:
    """Two commits by their full ids: what was there, and what is there now."""

    base: str
    head: str


class Repository:
    """A git repository. Nothing is written to it, and nothing that its configuration names is run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, text: str) -> CommitRange:
        """
        Return the commits that a range names: ``A..B``, ``A...B`` (from where they parted), or ``A`` (until HEAD).

        Raises:
            ConfigError: If it names none.
        """
        base, dots, head = text.partition("..")
        parted = dots and head.startswith(".")
        tip = self._commit(head.removeprefix(".") or "HEAD")
        start = self._commit(base or "HEAD")
        if parted:
            start = self._git("merge-base", start, tip).decode().strip()
        return CommitRange(start, tip)

    def subjects(self, commits: CommitRange, *, most: int) -> list[str]:
        """Return the first lines of the commits' messages, the newest first."""
        listed = self._git("log", "-z", "--format=%s", f"--max-count={most}", f"{commits.base}..{commits.head}")
        return [subject for subject in listed.decode(errors="replace").split("\0") if subject]

    def changed_files(self, commits: CommitRange, *, suffix: str) -> Iterator[ChangedFile]:
        """Yield the ordinary files of one suffix that the commits differ in; a renamed one once, by its new name."""
        listed = self._git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "-M", commits.base, commits.head)
        fields = iter(os.fsdecode(listed).split("\0"))
        for head in fields:
            if not head.startswith(":"):
                continue
            modes, _, rest = head[1:].partition(" ")
            mode_after, before, after, status = rest.split(" ")
            path = next(fields)
            if status[0] in "RC":
                path = next(fields)
            if path.endswith(suffix) and {modes[:3], mode_after[:3]} <= {_FILE_MODE, "000"}:
                yield ChangedFile(path=path, blob_before=_blob(before), blob_after=_blob(after))

    def contents(self, blob: str, *, bytes_max: int) -> bytes | None:
        """Return a file's content; None where it is larger than *bytes_max*."""
        size = int(self._git("cat-file", "-s", blob))
        return self._git("cat-file", "blob", blob) if size <= bytes_max else None

    def diff(self, commits: CommitRange, *, pattern: str) -> str:
        """Return the difference as text: source code."""
        options = ("--no-color", "--no-ext-diff", "--no-textconv", "-M")
        return self._git("diff", *options, commits.base, commits.head, "--", pattern).decode(errors="replace")

    def _commit(self, name: str) -> str:
        try:
            found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except PyrometerError as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(
                f"{printable(name)} is no commit of {self._folder}; a pipeline's clone may be too shallow: fetch more"
                " of its history (git fetch --unshallow, or fetch-depth: 0)"
            ) from None
        return found.decode().strip()

    def _git(self, *arguments: str) -> bytes:
        # A repository that is not ours may name programs to run; of the commands here, these would look at them.
        guards = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false")
        command = ["git", "-C", str(self._folder), "--no-pager", *guards, *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, check=False, timeout=_TIMEOUT_S, env={**os.environ, **_ENVIRONMENT}
            )
        except FileNotFoundError:
            raise ConfigError("git is not installed: --git reads the repository with it") from None
        except subprocess.TimeoutExpired:
            raise PyrometerError(f"git {arguments[0]} in {self._folder} took more than {_TIMEOUT_S:g} s") from None
        if done.returncode:
            said = printable(done.stderr.decode(errors="replace").strip().removeprefix("fatal: "))
            if "not a git repository" in said or "cannot change to" in said:
                raise ConfigError(f"{self._folder} is no git repository: name one with --repository")
            raise PyrometerError(f"git {arguments[0]} in {self._folder}: {said}")
        return done.stdout


def _blob(text: str) -> str:
    return text if text.strip(_NO_BLOB) else ""
