"""The agent's extra, installed alone as a user would, into an empty environment, from a built wheel."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("numpy", "pandas", "pyarrow", "streamlit", "chdb", "clickhouse_driver", "starlette")
BURN = "t = __import__('time').monotonic\ndef burn(until):\n    while t() < until: pass\nburn(t() + 2)"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Folder of the programs of an environment that holds pyrometer[agent] and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    install = ["-m", "pip", "install", "--quiet", f"{ROOT}[agent]", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([str(folder / "bin" / "python"), *install], check=True, timeout=170, cwd=folder)
    return folder / "bin"


def run(environment, *arguments, **options):
    return subprocess.run(
        [str(environment / arguments[0]), *arguments[1:]],
        capture_output=True, text=True, check=False, timeout=60, cwd=environment.parent, **options,
    )  # fmt: skip


def test_it_brings_nothing_heavy(environment):
    """No library of the collector or the dashboard comes along, and the shipped files do."""
    code = (
        "import importlib.util as u; from pyrometer.config import shipped_config; "
        f"print([name for name in {HEAVY!r} if u.find_spec(name)], shipped_config('agent.yaml').name)"
    )
    assert "[] agent.yaml\n" == run(environment, "python", "-c", code).stdout


@pytest.mark.parametrize("program", ["collector", "dashboard", "demo"])
def test_other_programs_say_what_to_install(environment, program):
    """A command of another extra ends with 2 and names that extra in one line."""
    result = run(environment, "pyrometer", program, "run")
    assert 2 == result.returncode
    assert result.stderr.endswith(f"run: pip install 'pyrometer[{program}]'\n")
    assert 1 == result.stderr.count("\n")


def test_it_records_a_page(environment, tmp_path):
    """The ad-hoc command works, its self-contained page included."""
    page = tmp_path / "out.html"
    result = run(
        environment, "pyrometer", "record", "-d", "2", "-o", str(page), "--", str(environment / "python"), "-c", BURN
    )
    assert 0 == result.returncode, result.stderr
    assert "burn" in page.read_text()


def test_the_agent_runs(environment, tmp_path):
    """The daemon starts, becomes ready and ends with 0."""
    state = tmp_path / "stderr.txt"
    with state.open("wb") as stderr:
        agent = subprocess.Popen(
            [str(environment / "pyrometer"), "agent", "run", "--http-address", "127.0.0.1:0"],
            stderr=stderr, cwd=tmp_path, env=os.environ | {"STATE_DIRECTORY": str(tmp_path)},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while "state on http://" not in state.read_text():
            assert agent.poll() is None, state.read_text()
            assert time.monotonic() < deadline, state.read_text()
            time.sleep(0.05)
        url = state.read_text().partition("state on ")[2].partition(",")[0]
        retries = urllib3.Retry(total=50, status_forcelist={503}, backoff_factor=0.05, backoff_max=0.2)
        assert 200 == urllib3.request("GET", url, retries=retries).status
    finally:
        agent.terminate()
        assert 0 == agent.wait(20)
