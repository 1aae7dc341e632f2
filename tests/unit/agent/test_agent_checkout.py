"""The commit a process was started from, out of real repositories and out of traps."""

import os
import subprocess
import sys
import threading
import time

import pytest

from agent.checkout import PACKED_BYTES_MAX, Commit, CommitReader, read_commit

LATER_S = time.time() + 86_400
_GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")


def git(folder, *arguments, when=1_700_000_000):
    environment = {"PATH": os.environ["PATH"], "GIT_COMMITTER_DATE": f"{when} +0000", "HOME": str(folder)}
    done = subprocess.run([*_GIT, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


@pytest.fixture
def commit_of():
    """Read the commit of a real process in a folder."""
    processes = []

    def read(folder, started_unix_s=LATER_S):
        process = subprocess.Popen(["sleep", "60"], cwd=folder)
        processes.append(process)
        return read_commit(process.pid, started_unix_s)

    yield read
    for process in processes:
        process.kill()
        process.wait()


def test_a_branch_gives_commit_and_name(repository, commit_of):
    """The checkout above the working directory is found, with its branch."""
    inner = repository / "src" / "web"
    inner.mkdir(parents=True)
    git(repository, "checkout", "-q", "-b", "feature/äh-1.2")

    assert commit_of(inner) == Commit(git(repository, "rev-parse", "HEAD"), "feature/äh-1.2")


def test_a_detached_head_has_no_branch(repository, commit_of):
    """A checked out commit gives its hash alone."""
    git(repository, "checkout", "-q", "--detach")

    assert commit_of(repository) == Commit(git(repository, "rev-parse", "HEAD"), "")


def test_packed_refs_are_read(repository, commit_of):
    """A ref without a file of its own is found among the packed ones."""
    git(repository, "branch", "main-2")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()

    assert commit_of(repository) == Commit(git(repository, "rev-parse", "HEAD"), "main")


def test_a_repository_of_longer_hashes_is_read(tmp_path, commit_of):
    """SHA-256 repositories have hashes of 64 digits."""
    git(tmp_path, "init", "-q", "--object-format=sha256")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    commit = commit_of(tmp_path)

    assert len(commit.revision) == 64


def test_a_linked_worktree_has_a_head_of_its_own(repository, tmp_path, commit_of):
    """Where .git is a file, HEAD lies where it says, and the branch in what all worktrees share."""
    git(repository, "worktree", "add", "-q", "-b", "green", str(tmp_path / "green"))
    git(tmp_path / "green", "commit", "-q", "--allow-empty", "-m", "two")

    assert commit_of(tmp_path / "green") == Commit(git(tmp_path / "green", "rev-parse", "HEAD"), "green")
    assert commit_of(repository).branch == "main"


def test_a_submodule_is_found_by_its_relative_path(repository, tmp_path, commit_of):
    """A submodule's .git file names a folder relative to it."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repository), str(other))
    git(other, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository), "sub")

    assert commit_of(other / "sub").revision == git(repository, "rev-parse", "HEAD")


def test_a_checkout_that_moved_since_the_start_is_followed_back(repository, commit_of):
    """A process runs what was checked out when it started, as the log of HEAD tells, not what was pulled since."""
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "-q", "--allow-empty", "-m", "two", when=1_700_001_000)

    assert commit_of(repository, 1_700_000_500) == Commit(first, "")
    assert commit_of(repository, 1_700_001_000).revision == git(repository, "rev-parse", "HEAD")
    assert commit_of(repository, 1_600_000_000) is None


def test_without_a_log_files_written_since_tell_nothing(repository, commit_of):
    """Where git keeps no log, a checkout that changed after the start is not believed."""
    (repository / ".git" / "logs" / "HEAD").unlink()

    assert commit_of(repository).branch == "main"
    assert commit_of(repository, time.time() - 1000) is None


def test_no_checkout_is_no_commit(tmp_path, commit_of):
    """Outside a repository, and for a process that has gone, nothing is found."""
    (tmp_path / ".git").mkdir()

    assert commit_of(tmp_path) is None
    assert read_commit(2**22 + 1, LATER_S) is None


HASH = "0123456789" * 4


def _loop(git_folder):
    (git_folder / "HEAD").symlink_to("HEAD")


def _link(git_folder):
    (git_folder / "real").write_text(HASH)
    (git_folder / "HEAD").symlink_to("real")


def _fifo(git_folder):
    os.mkfifo(git_folder / "HEAD")


def _device(git_folder):
    os.mknod(git_folder / "HEAD", 0o20644, os.makedev(1, 5))  # /dev/zero


def _secret(git_folder):
    (git_folder / "HEAD").write_text("password=hunter2")


def _traversal(git_folder):
    (git_folder / "HEAD").write_text("ref: refs/heads/../../../../etc/hostname")


def _ref_loop(git_folder):
    (git_folder / "refs").mkdir()
    (git_folder / "HEAD").write_text("ref: refs/a")
    (git_folder / "refs" / "a").write_text("ref: refs/a")


def _huge_head(git_folder):
    with (git_folder / "HEAD").open("wb") as file:
        file.truncate(2**40)


def _huge_packed(git_folder):
    (git_folder / "HEAD").write_text("ref: refs/heads/main")
    with (git_folder / "packed-refs").open("wb") as file:
        file.truncate(2**40)
        file.seek(PACKED_BYTES_MAX)
        file.write(f"\n{HASH} refs/heads/main\n".encode())


def _linked_refs(git_folder):
    (git_folder / "HEAD").write_text("ref: refs/heads/main")
    (git_folder / "elsewhere").mkdir()
    (git_folder / "elsewhere" / "main").write_text(HASH)
    (git_folder / "refs").mkdir()
    (git_folder / "refs" / "heads").symlink_to("../elsewhere")


@pytest.mark.parametrize(
    "lay",
    [_loop, _link, _fifo, _device, _secret, _traversal, _ref_loop, _huge_head, _huge_packed, _linked_refs],
)
def test_traps_in_place_of_git_files_give_nothing(tmp_path, commit_of, lay):
    """Links, FIFOs, devices, endless files and files that hold something else are neither followed nor shown."""
    (tmp_path / ".git").mkdir()
    lay(tmp_path / ".git")

    assert commit_of(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["gitdir: /" + "../" * 100 + "x", "gitdir: " + "a/" * 1000, "gitdir: .git", "gitdir: ", "nothing", "gitdir: \0"],
)
def test_git_files_that_lead_nowhere_give_nothing(tmp_path, commit_of, text):
    """A .git file is not believed either."""
    (tmp_path / ".git").write_text(text)

    assert commit_of(tmp_path) is None


def test_a_git_folder_behind_a_link_is_refused(tmp_path, repository, commit_of):
    """A link named .git could lead anywhere."""
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / ".git").symlink_to(repository / ".git")

    assert commit_of(folder) is None


def test_only_below_the_root_of_the_process(repository, commit_of):
    """A process in a root of its own has no checkout above it."""
    inner = repository / "root"
    inner.mkdir()
    code = "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); print('in', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(inner)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()

        assert commit_of(inner).branch == "main"
        assert read_commit(process.pid, LATER_S) is None
        process.kill()


def test_a_reader_that_does_not_come_back_is_left_alone(monkeypatch):
    """A file system that never answers costs one thread and one wait, not the scan."""
    release = threading.Event()
    monkeypatch.setattr("agent.checkout.read_commit", lambda *_: release.wait(30) and None)
    reader = CommitReader(timeout_s=0.05)
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                reader.read(1, 0.0)
        assert sum(thread.name == "commit-1" for thread in threading.enumerate()) == 1
    finally:
        release.set()


def test_a_reader_hands_on_what_it_finds(repository):
    """In time, the commit comes back."""
    process = subprocess.Popen(["sleep", "60"], cwd=repository)
    try:
        assert CommitReader(timeout_s=10).read(process.pid, LATER_S).branch == "main"
    finally:
        process.kill()
        process.wait()
