"""The agent's own HTTP server, asked over a real socket."""

import json
import socket

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from agent.http_server import AgentHttpServer
from agent.selfmetrics import SelfMetrics, build_registry
from pyrometer import __version__
from pyrometer.errors import ConfigError


@pytest.fixture
def checks():
    return {"loop": ""}


@pytest.fixture
def get(checks):
    server = AgentHttpServer(
        "127.0.0.1", 0, registry=build_registry(SelfMetrics()), healthy=lambda: {"a": ""}, ready=lambda: checks
    )
    server.start()
    with urllib3.PoolManager() as pool:
        yield lambda path, method="GET": pool.request(method, f"http://127.0.0.1:{server.port}{path}", retries=False)
    server.close()


def test_metrics_are_prometheus_text(get):
    """/metrics parses, and names the build."""
    answer = get("/metrics")
    names = {family.name for family in text_string_to_metric_families(answer.data.decode())}

    assert answer.status == 200
    assert {"pyrometer_agent_build_info", "process_cpu_seconds", "pyrometer_agent_windows"} <= names


def test_readiness_follows_its_checks(get, checks):
    """/readyz is 200 while every check holds and 503 with the reason when one does not."""
    assert get("/readyz").status == 200
    checks["loop"] = "no scan for 99 s"
    answer = get("/readyz?verbose")

    assert answer.status == 503
    assert json.loads(answer.data) == {"ok": False, "checks": {"loop": "no scan for 99 s"}}
    assert get("/healthz").status == 200


def test_version_unknown_paths_and_head(get):
    """/version tells it, an unknown path is 404, HEAD has no body, and POST is not implemented."""
    assert json.loads(get("/version").data) == {"name": "pyrometer-agent", "version": __version__}
    assert get("/nothing").status == 404
    assert (get("/healthz", "HEAD").status, get("/healthz", "HEAD").data) == (200, b"")
    assert get("/healthz", "POST").status == 501


def test_a_taken_port_is_a_usage_error_that_names_it():
    """Where another program listens, one line names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            AgentHttpServer("127.0.0.1", port, registry=build_registry(SelfMetrics()), healthy=dict, ready=dict)
