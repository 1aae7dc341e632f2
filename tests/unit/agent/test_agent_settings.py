"""The agent's settings and the file that is shipped with them."""

from pathlib import Path

import pytest

from agent.settings import AgentSettings
from agent.settings_loader import load_agent_settings
from pyrometer.config import shipped_config
from pyrometer.errors import ConfigError


def load(text: str, tmp_path: Path, **flags: object) -> AgentSettings:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    return load_agent_settings(path, environment={}, flags=flags)


def test_the_shipped_file_shows_the_defaults():
    """configs/agent.yaml is valid, and says exactly what holds without it."""
    shipped = load_agent_settings(shipped_config("agent.yaml"), environment={}, flags={})

    assert shipped == AgentSettings()


def test_the_shipped_file_names_every_setting():
    """No setting is missing from the commented file."""
    text = shipped_config("agent.yaml").read_text(encoding="utf-8")
    groups = [getattr(AgentSettings(), name) for name in AgentSettings.__struct_fields__]

    assert [name for group in groups for name in group.__struct_fields__ if f" {name}:" not in text] == []


def test_flags_beat_environment_beats_file(tmp_path):
    """The order of sources is that of all Pyrometer programs."""
    path = tmp_path / "agent.yaml"
    path.write_text("sampling: {rate_hz: 5, window_s: 20, concurrent_max: 3}")
    settings = load_agent_settings(
        path,
        environment={"PYROMETER_AGENT_SAMPLING__RATE_HZ": "7", "PYROMETER_AGENT_SAMPLING__WINDOW_S": "30"},
        flags={"sampling.rate_hz": 11},
    )

    assert (settings.sampling.rate_hz, settings.sampling.window_s, settings.sampling.concurrent_max) == (11, 30.0, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sampling: {rate_hz: 0}", ["sampling.rate_hz", "0", ">= 1"]),
        ("sampling: {rat_hz: 5}", ["sampling.rat_hz", "did you mean sampling.rate_hz"]),
        ("targets: {deny: [{service: '('}]}", ["targets.deny[0].service", "'('", "regular expression"]),
        ("targets: {allow: [{}]}", ["targets.allow[0]", "at least one"]),
        (
            "identity: {rules: [{match: {user: a}, service_name: 'x-\\1'}]}",
            ["identity.rules[0].service_name", "groups"],
        ),
        ("http: {address: '7072'}", ["http.address", "7072"]),
        ("export: {endpoint: 'ftp://x'}", ["export.endpoint", "ftp://x"]),
        ("export: {token: a, token_file: /b}", ["export.token", "export.token_file", "both"]),
        ("export: {key_file: /k}", ["export.key_file", "export.certificate_file"]),
        ("export: {spool: {bytes_max: 1000}}", ["export.spool.bytes_max = 1000", "export.batch_bytes_max"]),
        ("export: {queue_bytes_max: 65536}", ["export.batch_bytes_max", "export.queue_bytes_max"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(text, words, tmp_path):
    """One line says which key, which value and which rule."""
    with pytest.raises(ConfigError) as error:
        load(text, tmp_path)

    assert [word for word in words if word not in str(error.value)] == []
    assert "\n" not in str(error.value)
