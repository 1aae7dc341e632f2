"""Everything that a range of commits touched, as an event carries it."""

from dataclasses import dataclass
from typing import Final

from pyrometer.api_events import COMMITS_MAX, FUNCTIONS_MAX, NAME_CHARS_MAX, TouchedFunction
from pyrometer.deploy.repository import ChangedFile, CommitRange, Repository
from pyrometer.deploy.touched import touched_functions
from pyrometer.errors import DecodeError

_SUFFIX: Final = ".py"
_FILE_BYTES_MAX: Final = 2 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """
    What a range of commits touched.

    Attributes:
        commits: Subjects, the newest first.
        functions: Touched functions, by file and line.
        files: Python files that differ.
        notes: What is missing, one sentence each.
    """

    commits: list[str]
    functions: list[TouchedFunction]
    files: int
    notes: list[str]


def read_touched(repository: Repository, commits: CommitRange) -> Touched:
    """
    Return what lies between two commits.

    Raises:
        PyrometerError: If git fails.
    """
    functions: list[TouchedFunction] = []
    unread: list[str] = []
    files = list(repository.changed_files(commits, suffix=_SUFFIX))
    for file in files:
        try:
            functions += _touched_in(repository, file)
        except DecodeError as error:
            unread.append(str(error))
    functions.sort(key=lambda row: (row.file, row.first_line, row.function))
    notes = [f"Not read: {', '.join(unread[:5])}{', …' if len(unread) > 5 else ''}."] if unread else []  # noqa: PLR2004
    if len(functions) > FUNCTIONS_MAX:
        notes.append(f"Only the first {FUNCTIONS_MAX:,} of {len(functions):,} functions are sent.")
    return Touched(
        commits=[subject[:NAME_CHARS_MAX] for subject in repository.subjects(commits, most=COMMITS_MAX)],
        functions=functions[:FUNCTIONS_MAX],
        files=len(files),
        notes=notes,
    )


def _touched_in(repository: Repository, file: ChangedFile) -> list[TouchedFunction]:
    # A name that is not UTF-8, or too long to be one that a stack shows, is sent as far as it can be.
    path = file.path.encode(errors="replace").decode()[-NAME_CHARS_MAX:]
    before, after = _text(repository, file.blob_before, path), _text(repository, file.blob_after, path)
    return [row for row in touched_functions(before, after, path) if len(row.function) <= NAME_CHARS_MAX]


def _text(repository: Repository, blob: str, path: str) -> str:
    raw = repository.contents(blob, bytes_max=_FILE_BYTES_MAX) if blob else b""
    if raw is None:
        raise DecodeError(f"{path}: larger than {_FILE_BYTES_MAX} bytes")
    # The tree is what counts: where a file is in another encoding, text within it may be read wrongly, the same twice.
    return raw.decode("utf-8-sig", errors="replace")
