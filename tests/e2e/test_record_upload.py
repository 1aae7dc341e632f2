"""pyrometer record --upload into a real collector: the hot function is on top of the API's flame graph."""

import json
import socket
import subprocess
import sys

import pytest
import urllib3
from record_support import WORKLOAD, command, eventually, one_line, pyrometer

pytestmark = pytest.mark.e2e


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def collector(tmp_path, free_port):
    address = f"127.0.0.1:{free_port}"
    arguments = ["collector", "run", "--http-address", address, "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(command(*arguments), stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        eventually(lambda: get(f"http://{address}/readyz") is not None, "the collector is ready")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def get(url: str):
    try:
        answer = urllib3.request("GET", url, retries=False, timeout=10)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.json() if answer.status == 200 else None


def test_an_uploaded_recording_is_a_service_in_the_api(tmp_path, collector):
    """No file is written without -o; service name and CPU time arrive, and hot is the first function."""
    (tmp_path / "uploaded_job.py").write_text(WORKLOAD, encoding="utf-8")
    program = [sys.executable, "uploaded_job.py"]
    finished = pyrometer("record", "-d", "2", "--upload", collector, "--", *program, cwd=tmp_path)
    assert 0 == finished.returncode, finished.stderr
    assert f"sent to {collector}: " in finished.stderr
    assert {"data", "uploaded_job.py"} == {path.name for path in tmp_path.iterdir()}
    url = f"{collector}/api/v1/functions?service=uploaded_job&version="
    eventually(lambda: (get(url) or {}).get("functions"), "the functions are in the database")
    functions = get(url)["functions"]
    assert "hot" == max(functions, key=lambda function: function["self_cpu_seconds"])["function"], json.dumps(functions)
    assert any(function["file"] == f"{tmp_path}/uploaded_job.py" for function in functions)


def test_nobody_at_the_address_is_one_line_and_exit_code_1(tmp_path, free_port):
    """The line names the address; the file that was asked for is written all the same."""
    url = f"http://127.0.0.1:{free_port}"
    arguments = ("record", "-q", "-d", "1", "--upload", url, "-o", "out.txt", "--", sys.executable, "-c")
    finished = pyrometer(*arguments, "while True: pass", cwd=tmp_path)
    assert 1 == finished.returncode
    assert f"no collector answers at {url}/v1development/profiles" in one_line(finished)
    assert "<module>" in (tmp_path / "out.txt").read_text()


def test_what_the_collector_refuses_is_one_line_and_exit_code_1(tmp_path, collector):
    """A wrong path is told with the collector's status."""
    arguments = ("record", "-q", "-d", "1", "--upload", f"{collector}/wrong", "--", sys.executable, "-c")
    finished = pyrometer(*arguments, "while True: pass", cwd=tmp_path)
    assert 1 == finished.returncode
    assert "refused the profile with status 404" in one_line(finished)
