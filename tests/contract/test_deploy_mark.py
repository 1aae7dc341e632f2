"""``pyrometer deploy mark`` with a real git repository and a real collector."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pyrometer.client import CollectorClient
from pyrometer.demo.rollout import tell_of_rollout
from tests.contract.collector_process import running_collector

HOSTILE = 'näme "with\nall\t\\x1b.py'
SECRET = "hunter2"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    with running_collector(tmp_path_factory.mktemp("deploy")) as process:
        yield process


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Two tags: v1, and v2 that changes, adds, moves and removes functions."""
    folder = tmp_path_factory.mktemp("repository")

    def commit(tag, message, files):
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=no"]
        for arguments in (["add", "-A"], ["commit", "-qm", message], ["tag", tag]):
            subprocess.run([*git, *arguments], check=True, timeout=30)

    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=30)
    body = "".join(f"    x{line} = {line}\n" for line in range(20))
    first = {
        "shop/cart.py": f"def price():\n    return '{SECRET}'\n",
        "old.py": f"def moved():\n{body}",
        "gone.py": "def gone(): ...\n",
    }
    second = {
        "shop/cart.py": f"def price():\n    return '{SECRET}' + 'x'\n",
        "old.py": None,
        "new.py": f"# moved\ndef moved():\n{body}",
        "gone.py": None,
        HOSTILE: "def odd(): ...\n",
        "broken.py": "def f(:\n",
        "notes.txt": "def no(): ...\n",
    }
    commit("v1", "First", first)
    commit("v2", "Price with a rule\n\nand more", second)
    return folder


def mark(*arguments):
    command = [sys.executable, "-m", "pyrometer", "deploy", "mark", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def marked(collector, repository, *arguments, service="books", version="2"):
    words = ["--service", service, "--version", version, "--repository", repository, "--collector", collector.url]
    return mark(*words, *arguments)


def events_of(collector, service):
    body = CollectorClient(collector.url, 20).raw("events", {"service": service}, media_type="application/json")
    return json.loads(body)["events"]


def test_a_range_is_told_with_the_functions_it_touches(collector, repository):
    """Names, files and lines; a moved file touches nothing; what cannot be read is named; no source is sent."""
    done = marked(collector, repository, "--git", "v1..v2", "--url", "https://ci.invalid/7", "--environment", "prod")
    assert done.returncode == 0, done.stderr
    assert "1 commits touch 3 functions" in done.stdout
    assert done.stderr == "note: Not read: broken.py: SyntaxError.\n"
    [event] = events_of(collector, "books")
    assert (event["kind"], event["version"], event["source"], event["environment"]) == ("deploy", "2", "git", "prod")
    assert event["commits"] == ["Price with a rule"]
    assert event["url"] == "https://ci.invalid/7"
    touched = {(row["function"], row["file"], row["touch"]) for row in event["functions"]}
    assert touched == {("price", "shop/cart.py", "modified"), ("gone", "gone.py", "removed"), ("odd", HOSTILE, "added")}
    assert SECRET not in json.dumps(event)


def test_the_same_id_is_one_event(collector, repository):
    """A pipeline that runs again does not deploy twice; without a range nothing is read."""
    for _ in range(2):
        assert marked(collector, "/missing", "--id", "run-7", service="retried").returncode == 0
    assert [event["id"] for event in events_of(collector, "retried")] == ["run-7"]


def test_source_is_sent_where_it_is_asked_for(collector, repository):
    """With --with-diff, and --dry-run shows what would be sent and sends nothing."""
    done = marked(collector, repository, "--git", "v1", "--with-diff", "--dry-run", service="shown")
    assert SECRET in json.loads(done.stdout)["text"]
    assert events_of(collector, "shown") == []
    assert "notes.txt" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--git", "v1..v9"], "v9 is no commit"),
        (["--git", "--output=x"], "is no commit"),
        (["--git", "v1", "--repository", "/proc"], "no git repository"),
        (["--git", "v1", "--repository", "/missing"], "no git repository"),
        (["--url", "javascript:alert(1)"], "url"),
        (["--service", ""], "service"),
        (["--with-diff"], "--git"),
    ],
)
def test_what_is_wrong_is_named(collector, repository, arguments, words):
    """Exit code 2, one line that says what to do, and no event."""
    done = marked(collector, repository, *arguments, service="wrong")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert events_of(collector, "wrong") == []


def test_a_collector_that_does_not_answer_is_named(repository):
    """Exit code 1."""
    done = mark("--service", "shop", "--version", "2", "--collector", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 does not answer" in done.stderr


def test_the_demo_tells_of_its_second_release(collector, capsys):
    """Once however often it starts, with the places of its regressions; it runs without a collector too."""
    for url in (collector.url, collector.url, "http://127.0.0.1:9"):
        tell_of_rollout(url)
    [event] = events_of(collector, "shop")
    assert event["version"] == "1.5.0"
    assert [row["function"] for row in event["functions"]] == ["apply_discounts", "Ledger.answer_time_s"]
    for row in event["functions"]:
        lines = (ROOT / row["file"]).read_text().splitlines()
        assert f"def {row['function'].rpartition('.')[2]}(" in lines[row["first_line"] - 1]
        assert lines[row["last_line"] - 1].strip().startswith("return ")
    assert "the deploy of 1.5.0 was not told of: " in capsys.readouterr().err
