"""Our stack reader on Pythons that are newer than this system: in Debian sid, which lies in a directory of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / ".cache" / "debian-sid"
VERSIONS = ("3.14", "3.15")
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sid() -> Path:
    """Where sid's Pythons are: each runs on a root file system and in a mount namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("debootstrap and chroot need root")
    names = [f"python{version}" for version in VERSIONS]
    finished = run("bash", "scripts/debian_sid.sh", str(DIRECTORY), *names)
    assert finished.returncode == 0, finished.stderr
    return DIRECTORY / "bin"


@pytest.fixture(params=VERSIONS)
def version(request, sid) -> str:
    if not (sid / f"python{request.param}").exists():
        pytest.skip(f"sid has no Python {request.param}")
    return request.param


def test_the_reader_passes_its_tests(sid, version):
    """All that holds for the Pythons of this system holds for a newer one: names, lines, threads, namespaces."""
    tests = "tests/unit/agent/reader/test_remote_engine.py"
    finished = run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "python3", tests),
        PYROMETER_TEST_PYTHONS=str(sid / f"python{version}"),
    )
    assert finished.returncode == 0, finished.stdout
    assert " passed" in finished.stdout, finished.stdout


@pytest.mark.usefixtures("sid")
def test_no_stack_is_reported_that_never_existed(version):
    """At most 0.5% of the stacks are wrong, and 5% unstable, on programs whose every legal stack is known."""
    finished = run(sys.executable, "-m", "benchmarks.torn", "--python", version, "--quick")
    assert finished.returncode == 0, finished.stdout + finished.stderr
