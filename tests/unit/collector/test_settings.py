"""The collector's settings: the shipped file shows the defaults, and what is wrong is said before anything starts."""

import os
from pathlib import Path

import msgspec
import pytest

from collector.settings import CollectorSettings, StoreSettings, data_directory
from collector.store.address import ServerAddress, check_version
from collector.store.protocol import SERVER_VERSION_MIN
from pyrometer.config import load_settings, shipped_config
from pyrometer.errors import ConfigError


def test_the_shipped_file_shows_every_setting_with_its_default():
    """Loading it changes nothing, and no setting is missing from it."""
    path = shipped_config("collector.yaml")
    loaded = load_settings(CollectorSettings, program="collector", path=path)
    assert loaded == CollectorSettings()
    text = path.read_text(encoding="utf-8")
    for group in msgspec.structs.fields(CollectorSettings):
        inner = getattr(group.type, "__struct_fields__", (group.name,))
        for name in (group.name, *inner):
            assert f"{name}:" in text, name


@pytest.mark.parametrize(
    ("set_to", "environment", "expected"),
    [
        ("/a", {"STATE_DIRECTORY": "/b", "XDG_STATE_HOME": "/c"}, "/a"),
        ("", {"STATE_DIRECTORY": "/b:/x", "XDG_STATE_HOME": "/c"}, "/b"),
        ("", {"XDG_STATE_HOME": "/c", "HOME": "/h"}, "/c/pyrometer"),
        ("", {"HOME": "/h"}, "/h/.local/state/pyrometer"),
    ],
)
def test_where_data_lies(set_to, environment, expected):
    """The setting, systemd, XDG, home: in this order."""
    assert data_directory(CollectorSettings(data_dir=set_to), environment) == Path(expected)


def test_the_database_url_can_come_from_a_file(tmp_path):
    """Its white space is not part of it; both forms at once, and a missing file, are errors."""
    path = tmp_path / "url"
    path.write_text("clickhouse://h\n")
    assert StoreSettings(url_file=str(path)).server_url() == "clickhouse://h"
    with pytest.raises(ConfigError, match="both"):
        StoreSettings(url="clickhouse://h", url_file=str(path)).server_url()
    with pytest.raises(ConfigError, match="url_file"):
        StoreSettings(url_file=str(tmp_path / "missing")).server_url()


def test_a_database_url_is_read():
    """Every part, its defaults, and characters that a URL must escape."""
    full = ServerAddress.parse("clickhouse://me:p%40ss%2F@db.example:9001/prod?http_port=8124&secure=true")
    assert full == ServerAddress(
        host="db.example", port=9001, http_port=8124, database="prod", user="me", password="p@ss/", secure=True
    )
    assert ServerAddress.parse("clickhouse://h") == ServerAddress(host="h")
    assert "p@ss" not in repr(full)
    assert "p@ss" not in str(full)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:9000",
        "http://h",
        "clickhouse://",
        "clickhouse://h:x",
        "clickhouse://h/a-b",
        "clickhouse://u:secret@h?x=1",
    ],
)
def test_a_wrong_database_url_is_refused(url):
    """The text says how to write it, and never shows the password."""
    with pytest.raises(ConfigError) as caught:
        ServerAddress.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("version", ["", "x", "24.8.1.1", f"{SERVER_VERSION_MIN[0]}.{SERVER_VERSION_MIN[1] - 1}.9"])
def test_an_old_server_is_refused(version):
    """With both versions in the text."""
    with pytest.raises(ConfigError, match=r"25\.9"):
        check_version(version)


def test_a_new_server_is_accepted():
    """The minimum itself, and later years."""
    check_version("25.9.1.1")
    check_version("26.1.0.0")


def test_the_environment_and_flags_set_what_the_file_does_not():
    """Flags win over the environment."""
    environment = {"PYROMETER_COLLECTOR_HTTP__ADDRESS": "127.0.0.1:1", "PYROMETER_COLLECTOR_LOG__BYTES_MAX": "2097152"}
    settings = load_settings(
        CollectorSettings, program="collector", environment=environment, flags={"http.address": "127.0.0.1:2"}
    )
    assert settings.http.address == "127.0.0.1:2"
    assert settings.log.limits().bytes_max == 2_097_152
    assert os.environ.get("PYROMETER_COLLECTOR_HTTP__ADDRESS") is None
