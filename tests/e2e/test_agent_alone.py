"""The agent's extra, installed alone as a user would, into an empty environment, from a built wheel."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3
from agent_programs import waited_for_cpu_s

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("numpy", "pandas", "pyarrow", "streamlit", "chdb", "clickhouse_driver", "starlette")
BURN = "t = __import__('time').monotonic\ndef burn(until):\n    while t() < until: pass\nburn(t() + 2)"

pytestmark = [pytest.mark.e2e, pytest.mark.alone]


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


def test_it_takes_little_room(environment):
    """What was installed, compiled files and py-spy included, is under 60 MB; pip's own tools do not count."""
    tools = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
    libraries = next((environment.parent / "lib").glob("python3*/site-packages"))
    folders = [folder for folder in libraries.iterdir() if not folder.name.startswith(tools)]
    files = [path for folder in [*folders, environment] for path in [folder, *folder.rglob("*")] if path.is_file()]
    assert 60e6 > sum(path.stat().st_size for path in files if not path.is_symlink())


def test_the_agent_runs(environment, tmp_path):
    """The daemon is ready in under a second, holds less than 80 MiB at rest, and ends with 0."""
    starts_s, sizes = zip(*(start_agent(environment, tmp_path / str(attempt)) for attempt in range(3)), strict=True)
    assert 1.0 > min(starts_s)
    assert 80 * 2**20 > max(sizes)


def start_agent(environment, folder):
    """Run an agent that watches nothing; return the seconds until it was ready, and its resident bytes.

    Time in which it waited for a CPU that others had does not count.
    """
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    variables = {"STATE_DIRECTORY": str(folder), "PYROMETER_AGENT_TARGETS__ALLOW": "[{service: ^none$}]"}
    started = time.monotonic()
    agent = subprocess.Popen(
        [str(environment / "pyrometer"), "agent", "run", "--http-address", address],
        cwd=folder, env=os.environ | variables,
    )  # fmt: skip
    try:
        retries = urllib3.Retry(total=3000, status_forcelist={503}, backoff_factor=0.01, backoff_max=0.01)
        assert 200 == urllib3.request("GET", f"http://{address}/readyz", retries=retries).status
        ready_s = time.monotonic() - started - waited_for_cpu_s(agent.pid)
        pages = int(Path(f"/proc/{agent.pid}/statm").read_text().split()[1])
        return ready_s, pages * os.sysconf("SC_PAGE_SIZE")
    finally:
        agent.terminate()
        assert 0 == agent.wait(60)
