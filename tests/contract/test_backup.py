"""A backup of a collector's database, brought back into another."""

import json
import subprocess
import sys

import pytest

from tests.contract.collector_process import running_collector, select
from tests.contract.test_collector_process import spans_body

SPANS = [f"{number:016x}" for number in range(1, 21)]
COUNT = "SELECT count() AS spans, uniqExact(span_id) AS ids, (SELECT sum(count) FROM latency) AS latency FROM spans"


def pyrometer(*arguments):
    command = [sys.executable, "-m", "pyrometer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory):
    """The data directory of a collector that made the backup "one", and what the commands said."""
    folder = tmp_path_factory.mktemp("backed-up")
    with running_collector(folder / "data") as collector:
        assert collector.post("/v1/traces", spans_body(SPANS)).status == 200
        collector.wait_until_stored()
        said = [
            pyrometer("store", "backup", *name, "--collector", collector.url) for name in (["one"], ["one"], ["/x"], [])
        ]
        listed = json.loads(collector.request("GET", "/api/v1/store/backups").data)["backups"]
        assert collector.stop() == 0
    return folder / "data", said, listed


def test_a_backup_is_made_once_and_listed(backed_up):
    """The same name again is refused with the engine's reason, a bad one at once; without a name it is the time."""
    data, (made, again, bad, timed), listed = backed_up
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("one  ")
    assert (again.returncode, "already exists" in again.stderr) == (1, True)
    assert "Stack trace" not in again.stderr
    assert bad.returncode == 2
    assert timed.returncode == 0
    assert [row["status"] for row in listed if row["name"] == "one"] == ["BACKUP_FAILED", "BACKUP_CREATED"]
    assert (data / "backups" / "pyrometer" / "one").is_dir()


def test_a_backup_is_brought_back_into_an_empty_database(backed_up, tmp_path, monkeypatch):
    """Every row is there, once, and a collector starts on it and takes more."""
    data, _, _ = backed_up
    monkeypatch.setenv("PYROMETER_COLLECTOR_STORE__BACKUPS_DIR", str(data / "backups"))
    restored = pyrometer("collector", "restore", "one", "--data-dir", str(tmp_path / "new"))
    assert restored.returncode == 0, restored.stderr
    with running_collector(tmp_path / "new") as collector:
        assert collector.post("/v1/traces", spans_body([f"{99:016x}"])).status == 200
        collector.wait_until_stored()
        assert collector.stop() == 0
    [[row]] = select(tmp_path / "new", COUNT)
    assert row == {"spans": len(SPANS) + 1, "ids": len(SPANS) + 1, "latency": len(SPANS) + 1}


def test_nothing_is_overwritten_and_nothing_is_invented(backed_up, tmp_path):
    """A database with rows is refused and stays as it is; so is a name that is not there."""
    data, _, _ = backed_up
    refused = pyrometer("collector", "restore", "one", "--data-dir", str(data))
    assert (refused.returncode, "holds rows" in refused.stderr) == (2, True)
    [[row]] = select(data, COUNT)
    assert row["spans"] == len(SPANS)
    missing = pyrometer("collector", "restore", "two", "--data-dir", str(tmp_path / "other"))
    assert (missing.returncode, "not found" in missing.stderr) == (1, True)
