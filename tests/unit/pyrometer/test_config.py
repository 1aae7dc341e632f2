"""Settings: four sources, one order, and errors a person can act on."""

from pathlib import Path

import msgspec
import pytest

from pyrometer.config import load_settings, shipped_config
from pyrometer.errors import ConfigError


class HttpSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    address: str = "127.0.0.1:4318"
    body_bytes_max: int = 1024


class RootSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    rate_hz: int = 19
    allow: list[str] = msgspec.field(default_factory=list)
    http: HttpSettings = msgspec.field(default_factory=HttpSettings)


def load(**sources) -> RootSettings:
    return load_settings(RootSettings, program="probe", **sources)


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "probe.yaml"
    path.write_text(text)
    return path


def test_defaults_stand_where_nothing_is_set():
    """With no file, environment or flags, every setting has its default."""
    assert RootSettings() == load()


def test_later_sources_win(tmp_path):
    """A flag wins over the environment, which wins over the file, which wins over the default."""
    path = a_file(tmp_path, "rate_hz: 1\nallow: [a]\nhttp: {address: file, body_bytes_max: 7}\n")
    settings = load(
        path=path,
        environment={"PYROMETER_PROBE_HTTP__ADDRESS": "environment", "PYROMETER_PROBE_RATE_HZ": "2", "OTHER": "x"},
        flags={"rate_hz": 3, "allow": None},
    )
    assert RootSettings(rate_hz=3, allow=["a"], http=HttpSettings(address="environment", body_bytes_max=7)) == settings


def test_environment_values_are_read_as_yaml():
    """A list in the environment is a list, not a string."""
    assert ["a", "b"] == load(environment={"PYROMETER_PROBE_ALLOW": "[a, b]"}).allow


def test_empty_file_is_no_setting(tmp_path):
    """A file of comments alone changes nothing."""
    assert RootSettings() == load(path=a_file(tmp_path, "# nothing here\n"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rate: 5\n", ["probe.yaml", "unknown setting rate = 5", "did you mean rate_hz?"]),
        ("http: {adress: x}\n", ["unknown setting http.adress", "did you mean http.address?"]),
        ("rate_hz: fast\n", ["probe.yaml", "rate_hz", "'fast'", "Expected `int`, got `str`"]),
        ("allow: [a, 3]\n", ["allow[1]", "3", "Expected `str`"]),
        ("http: 5\n", ["http", "5", "Expected `object`"]),
        ("[1, 2]\n", ["must hold a mapping", "list"]),
        ("a: [\n", ["not valid YAML"]),
    ],
)
def test_file_error_names_key_value_source_and_rule(tmp_path, text, told):
    """Whatever is wrong in a file, one line says where, what and the rule."""
    with pytest.raises(ConfigError) as raised:
        load(path=a_file(tmp_path, text))
    for part in told:
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_environment_error_names_the_variable():
    """An error in the environment is not blamed on the file."""
    with pytest.raises(ConfigError, match="PYROMETER_PROBE_RATE_HZ"):
        load(environment={"PYROMETER_PROBE_RATE_HZ": "many"})


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_unreadable_file_is_a_config_error(tmp_path, content):
    """A missing file and one that is not text are configuration errors, not tracebacks."""
    path = tmp_path / "probe.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"probe\.yaml"):
        load(path=path)


def test_shipped_files_are_found():
    """The files of configs/ come with every installation; a name that is not there is a clear error."""
    assert shipped_config("prices.yaml").read_text().startswith("# What a resource costs")
    with pytest.raises(ConfigError, match=r"nope\.yaml is missing"):
        shipped_config("nope.yaml")
