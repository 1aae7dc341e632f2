"""
Which commit a process runs from: the git checkout around its working directory, read as files, git never started.

Everything here belongs to the process and may be a trap. So every step opens one name in a directory already open,
without following links and without waiting; only regular files are read, and only their beginning (or end); and
nothing but a commit's hash and a branch's name, both checked, comes back.
Source: gitrepository-layout(5), git-worktree(1), git-pack-refs(1).
"""

import contextlib
import os
import re
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from pyrometer.errors import PyrometerError

# Levels from the working directory up, links of a ref to a ref, parts of a path, and bytes read of each file.
LEVELS_MAX = 32
LINKS_MAX = 4
PARTS_MAX = 64
SMALL_BYTES_MAX = 4096
PACKED_BYTES_MAX = 4_194_304
LOG_BYTES_MAX = 65_536
# The start of a process is known to the second, as the kernel gives its boot time.
_START_SLACK_S = 1.0

_HASH = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(rb"refs(?:/[\w@+=,#%\x80-\xff-][\w.@+=,#%\x80-\xff-]*)+")
_LOG_LINE = re.compile(rb"(?m)^[0-9a-f]+ (" + _HASH.pattern + rb") .*?> (\d{1,12}) [+-]\d{4}(?:\t|$)")
_REF_CHARS_MAX = 255
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_PATH_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Commit:
    """
    What a process was started from.

    Attributes:
        revision: The commit's hash, 40 or 64 hexadecimal digits.
        branch: Its branch; empty where none was checked out, or where another commit has been checked out since.
    """

    revision: str
    branch: str


class _NotFoundError(PyrometerError):
    """There is no checkout, or none that can be trusted; never leaves this module."""


def read_commit(pid: int, started_unix_s: float) -> Commit | None:
    """
    Return the commit that was checked out around a process's working directory when it started.

    Args:
        pid: The process; its own root directory bounds what is looked at.
        started_unix_s: When it started. A checkout that moved since is followed back through git's log of HEAD; where
            there is none, and the files have changed since, nothing is known.
    """
    try:
        with contextlib.ExitStack() as stack:
            return _read(_Directories(pid, stack), started_unix_s + _START_SLACK_S)
    except (OSError, ValueError, _NotFoundError):
        return None


class CommitReader:
    """
    Reads commits in a thread of its own: a file system of the target's may keep a reader waiting for ever.

    One reader at most is left waiting; until it comes back, no other commit is read.
    """

    def __init__(self, *, timeout_s: float = 0.25) -> None:
        """Read nothing yet; *timeout_s* is how long the caller waits."""
        self._timeout_s = timeout_s
        self._reading: threading.Thread | None = None

    def read(self, pid: int, started_unix_s: float) -> Commit | None:
        """
        Return what `read_commit` does.

        Raises:
            TimeoutError: It takes too long, or an earlier one still does.
        """
        if self._reading is not None and self._reading.is_alive():
            raise TimeoutError
        found: list[Commit | None] = []
        self._reading = threading.Thread(
            target=lambda: found.append(read_commit(pid, started_unix_s)), name=f"commit-{pid}", daemon=True
        )
        self._reading.start()
        self._reading.join(self._timeout_s)
        if not found:
            raise TimeoutError
        return found[0]


class _Directories:
    """Directories of a process, each open and closed together; none is reached through a link."""

    def __init__(self, pid: int, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.root = self._keep(os.open(f"/proc/{pid}/root", _PATH_FLAGS))
        self.working = self._keep(os.open(f"/proc/{pid}/cwd", _PATH_FLAGS))

    def enter(self, directory: int, name: bytes) -> int:
        return self._keep(os.open(name, _PATH_FLAGS | os.O_NOFOLLOW, dir_fd=directory))

    def walk(self, directory: int, path: bytes) -> int:
        """Return the directory a path of git's leads to, from the process's root where it is absolute."""
        if path.startswith(b"/"):
            directory = self.root
        parts = [part for part in path.split(b"/") if part not in (b"", b".")]
        if len(parts) > PARTS_MAX:
            raise _NotFoundError
        for part in parts:
            if part == b".." and self.is_root(directory):
                raise _NotFoundError
            directory = self.enter(directory, part)
        return directory

    def upwards(self) -> Iterator[int]:
        """Yield the working directory and those above it, up to the process's root."""
        directory = self.working
        for _ in range(LEVELS_MAX):
            yield directory
            if self.is_root(directory):
                return
            directory = self.enter(directory, b"..")

    def is_root(self, directory: int) -> bool:
        # A process may have left its root: then the host's root ends the way up, being its own parent.
        here, above = os.fstat(directory), os.stat(b"..", dir_fd=directory)
        return os.path.samestat(here, os.fstat(self.root)) or os.path.samestat(here, above)

    def _keep(self, descriptor: int) -> int:
        self._stack.callback(os.close, descriptor)
        return descriptor


def _read(directories: _Directories, deadline_s: float) -> Commit:
    own = _find_git(directories)
    common = own
    with contextlib.suppress(OSError):  # a linked worktree keeps its HEAD apart from what all worktrees share
        common = directories.walk(own, _read_file(own, b"commondir", SMALL_BYTES_MAX)[0].rstrip(b"\r\n"))
    revision, branch, changed_s = _resolve(directories, own, common)
    with contextlib.suppress(OSError):
        logs = directories.enter(own, b"logs")
        if moves := _LOG_LINE.findall(_read_end(logs, b"HEAD", LOG_BYTES_MAX)):
            return _commit_at(moves, revision, branch, deadline_s)
    if changed_s > deadline_s:
        raise _NotFoundError
    return Commit(revision.decode(), branch)


def _commit_at(moves: list[tuple[bytes, bytes]], revision: bytes, branch: str, deadline_s: float) -> Commit:
    """Pick the last move of HEAD that was made before the process started."""
    earlier = [commit for commit, moved_s in moves if int(moved_s) <= deadline_s]
    if not earlier:
        raise _NotFoundError
    if len(earlier) == len(moves):
        return Commit(revision.decode(), branch)
    return Commit(earlier[-1].decode(), "")


def _find_git(directories: _Directories) -> int:
    for directory in directories.upwards():
        try:
            return directories.enter(directory, b".git")
        except FileNotFoundError:
            continue
        except NotADirectoryError:  # a file in linked worktrees and submodules, or a link, which is refused
            text = _read_file(directory, b".git", SMALL_BYTES_MAX)[0]
            if not text.startswith(b"gitdir: "):
                raise _NotFoundError from None
            return directories.walk(directory, text.removeprefix(b"gitdir: ").rstrip(b"\r\n"))
    raise _NotFoundError


def _resolve(directories: _Directories, own: int, common: int) -> tuple[bytes, str, float]:
    """Follow HEAD to a commit: its hash, the branch, and when the last of the files read was written."""
    text, changed_s = _read_file(own, b"HEAD", SMALL_BYTES_MAX)
    branch = ""
    for _ in range(LINKS_MAX):
        text = text.strip()
        if _HASH.fullmatch(text):
            return text, branch, changed_s
        ref = text.removeprefix(b"ref: ")
        if len(ref) > _REF_CHARS_MAX or not _REF.fullmatch(ref) or b".." in ref:
            raise _NotFoundError
        branch = branch or ref.removeprefix(b"refs/heads/").decode()
        text, written_s = _read_ref(directories, own, common, ref)
        changed_s = max(changed_s, written_s)
    raise _NotFoundError


def _read_ref(directories: _Directories, own: int, common: int, ref: bytes) -> tuple[bytes, float]:
    folder, _, name = ref.rpartition(b"/")
    for start in (own, common):
        with contextlib.suppress(OSError):
            return _read_file(directories.walk(start, folder), name, SMALL_BYTES_MAX)
    text, written_s = _read_file(common, b"packed-refs", PACKED_BYTES_MAX)
    match = re.search(rb"(?m)^(" + _HASH.pattern + rb") " + re.escape(ref) + rb"$", text)
    if match is None:
        raise _NotFoundError
    return match.group(1), written_s


def _read_file(directory: int, name: bytes, bytes_max: int) -> tuple[bytes, float]:
    """Return the beginning of a regular file, and when it was last written."""
    with _open_regular(directory, name) as (descriptor, status):
        return _read_bytes(descriptor, 0, bytes_max), status.st_mtime


def _read_end(directory: int, name: bytes, bytes_max: int) -> bytes:
    with _open_regular(directory, name) as (descriptor, status):
        return _read_bytes(descriptor, max(0, status.st_size - bytes_max), bytes_max)


@contextlib.contextmanager
def _open_regular(directory: int, name: bytes) -> Iterator[tuple[int, os.stat_result]]:
    # First a look that opens nothing: opening a device or a FIFO may do something.
    if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        raise _NotFoundError
    descriptor = os.open(name, _FLAGS, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _NotFoundError
        yield descriptor, status
    finally:
        os.close(descriptor)


def _read_bytes(descriptor: int, offset: int, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size < bytes_max and (chunk := os.pread(descriptor, min(65_536, bytes_max - size), offset + size)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)
