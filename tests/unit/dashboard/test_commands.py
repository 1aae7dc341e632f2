"""``pyrometer dashboard run`` as a real process: ready, stopped, refused."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import urllib3
import yaml

from dashboard.commands import server_arguments
from dashboard.settings import DashboardSettings, settings_from_environment, settings_to_environment
from pyrometer.config import load_settings, shipped_config
from pyrometer.errors import ConfigError

DEADLINE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_arguments(port: int) -> list[str]:
    return [sys.executable, "-m", "pyrometer", "dashboard", "run", "--address", f"127.0.0.1:{port}"]


@contextmanager
def running(port: int, home: Path) -> Iterator[subprocess.Popen]:
    environment = {**os.environ, "HOME": str(home)}
    with subprocess.Popen(
        run_arguments(port), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            yield child
        finally:
            child.kill()
            child.stdout.close()


def wait_until_healthy(child: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if (
                urllib3.request("GET", f"http://127.0.0.1:{port}/_stcore/health", retries=False, timeout=1).status
                == 200
            ):
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"not healthy; exit code {child.poll()}")


def test_sigterm_ends_the_server_with_0_and_home_stays_empty(tmp_path):
    """The server becomes healthy, stops within 5 s of SIGTERM with exit code 0, and leaves the home folder empty."""
    port = free_port()
    with running(port, tmp_path) as child:
        wait_until_healthy(child, port)
        child.send_signal(signal.SIGTERM)
        assert 0 == child.wait(5)
    assert [] == list(tmp_path.rglob("*"))


def test_taken_port_is_one_line_and_exit_code_2():
    """A port that is taken is named in one line, before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = subprocess.run(run_arguments(port), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert 2 == finished.returncode
    (line,) = finished.stderr.splitlines()
    assert f"port {port} on 127.0.0.1 is taken" in line
    assert "--address" in line


@pytest.mark.parametrize("collector", ["127.0.0.1:4318", "ftp://host", "http://host/path", "http://"])
def test_bad_collector_address_is_refused_with_its_key(collector):
    """A collector address must be a plain http or https address."""
    with pytest.raises(ConfigError, match="collector"):
        load_settings(DashboardSettings, program="dashboard", flags={"collector": collector})


def test_settings_travel_through_the_environment(monkeypatch):
    """The page process rebuilds exactly the settings that the command checked."""
    settings = DashboardSettings(collector="https://collector.example:8443", refresh_s=3.5, nodes_max=999)
    for name, value in settings_to_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert settings == settings_from_environment()


def test_shipped_config_shows_the_defaults():
    """The commented example is complete and changes nothing."""
    path = shipped_config("dashboard.yaml")
    assert DashboardSettings() == load_settings(DashboardSettings, program="dashboard", path=path)
    assert set(DashboardSettings.__struct_fields__) == set(yaml.safe_load(path.read_text()))


def test_server_sends_no_telemetry_and_asks_nothing():
    """The page server runs headless, without usage statistics, prompts, or file watching."""
    arguments = server_arguments("127.0.0.1", 8501)
    assert {
        "--browser.gatherUsageStats=false",
        "--server.headless=true",
        "--server.showEmailPrompt=false",
        "--server.fileWatcherType=none",
    } <= set(arguments)


def test_theme_defines_both_appearances_without_outside_fonts():
    """Dark and light are both defined, and nothing in the theme is fetched from elsewhere."""
    theme_flag = next(flag for flag in server_arguments("h", 1) if flag.startswith("--theme.base="))
    text = Path(theme_flag.removeprefix("--theme.base=")).read_text()
    theme = msgspec.toml.decode(text)["theme"]
    assert {"light", "dark"} <= set(theme)
    assert "://" not in text
    assert set(theme["light"]) == set(theme["dark"])


def test_the_network_is_served_only_on_request():
    """An address that is not loopback ends with 2 and one line that names the setting."""
    arguments = [sys.executable, "-m", "pyrometer", "dashboard", "run", "--address", "0.0.0.0:8501"]
    finished = subprocess.run(arguments, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert 2 == finished.returncode
    (line,) = finished.stderr.splitlines()
    assert "set insecure_listen: true" in line
