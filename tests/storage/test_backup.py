"""Backups where the engine has no place for them."""

import time

import pytest

from collector.store.backup import begin_backup
from pyrometer.errors import ConfigError


def test_an_engine_without_a_place_for_backups_says_so(store):
    """Neither engine writes anywhere unless it is told where; the error names the setting."""
    begin_backup(store, "one")
    deadline = time.monotonic() + 30
    while not (made := store.query("store_backups", {"rows_max": 10})) or made[0]["status"] == "CREATING_BACKUP":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (made[0]["name"], made[0]["status"]) == ("one", "BACKUP_FAILED")
    assert "allowed_path" in made[0]["error"]


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a'b", "x" * 101, "a\n"])
def test_a_name_that_could_be_a_path_is_none(store, name):
    """No backup leaves its folder."""
    with pytest.raises(ConfigError, match="no name"):
        begin_backup(store, name)
