"""``pyrometer detect`` as a user runs it."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.e2e


def run(*arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "pyrometer", "detect", *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def a_file(extra=""):
    rng = np.random.default_rng(1)
    values = 100 + rng.standard_normal(90) + 6 * (np.arange(90) >= 50) - 9 * (np.arange(90) >= 70)
    rows = [f"latency,2024-05-01T10:{i // 60:02}:{i % 60:02}Z,{value}" for i, value in enumerate(values)]
    rows += [f"noise,{1_700_000_000 + i},{value}" for i, value in enumerate(rng.standard_normal(90))]
    rows += [f"short,{i},1" for i in range(5)]
    return "series,timestamp,value\n" + "\n".join(rows) + "\n" + extra


def test_each_change_is_one_object_a_line(tmp_path):
    """JSON has exactly the promised keys, in numbers and RFC 3339."""
    path = tmp_path / "history.csv"
    path.write_text(a_file())
    result = run("--csv", str(path), "--format", "json")
    changes = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert [("latency", 50, "2024-05-01T10:00:50Z", "up"), ("latency", 70, "2024-05-01T10:01:10Z", "down")] == [
        (change["series"], change["index"], change["timestamp"], change["direction"]) for change in changes
    ]
    assert {"series", "index", "timestamp", "before", "after", "low", "high", "p", "direction", "state"} == set(
        changes[0]
    )
    assert "3 series (2 tested, 1 not enough data); 2 changes" in result.stderr


def test_csv_and_text_tell_the_same():
    """The other formats hold the same changes; - reads standard input."""
    rows = list(csv.DictReader(io.StringIO(run("--csv", "-", "--format", "csv", stdin=a_file()).stdout)))
    text = run("--csv", "-", stdin=a_file()).stdout.splitlines()
    assert ["50", "70"] == [row["index"] for row in rows]
    assert ["up", "down"] == [line.split()[1] for line in text]


def test_options_choose_what_is_reported():
    """Direction and smallest effect."""
    assert len(run("--csv", "-", "--direction", "up", stdin=a_file()).stdout.splitlines()) == 1
    assert len(run("--csv", "-", "--min-effect", "0.07", stdin=a_file()).stdout.splitlines()) == 1
    assert run("--csv", "-", "--min-effect", "0.5", stdin=a_file()).stdout == ""


def test_a_broken_row_is_named_and_the_exit_code_is_1():
    """The rest is reported all the same."""
    result = run("--csv", "-", "--format", "json", stdin=a_file("latency,soon,1\n"))
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 2
    assert "line 187: timestamp 'soon'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--csv", "/nowhere/history.csv"),
        ("--csv", "-", "--fdr", "2"),
        ("--csv", "-", "--min-effect", "-1"),
        ("--csv", "-"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(arguments):
    """No such file, a wrong option, no columns: exit code 2 and one clear line."""
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
