"""The collector while its database is away: from the start, and later."""

import clickhouse_driver
import pytest

from tests.clickhouse_server import server_url, start_server, stop_server
from tests.contract.collector_process import free_port, running_collector
from tests.contract.test_collector_process import profile_body, spans_body

pytestmark = pytest.mark.storage


def test_it_takes_requests_before_its_database_answers(tmp_path):
    """It starts, says that it is not ready, keeps what comes in the log, and stores it once the database is there."""
    ports = (free_port(), free_port())
    url = server_url(ports).replace("default@", "default:@")
    (tmp_path / "server").mkdir()
    with running_collector(tmp_path / "collector", path="/healthz", PYROMETER_COLLECTOR_STORE__URL=url) as collector:
        assert collector.post("/v1/traces", spans_body(["aa" * 8])).status == 200
        assert collector.post("/v1development/profiles", profile_body(7)).status == 200
        ready = collector.request("GET", "/readyz")
        assert ready.status == 503
        assert not ready.json()["checks"]["database"]["ok"]
        assert "wait in the log" in collector.log()
        server = start_server(tmp_path / "server", ports)
        try:
            collector.wait_until(lambda: collector.request("GET", "/readyz").status == 200, "opening the database")
            collector.wait_until_stored()
            with clickhouse_driver.Client("127.0.0.1", port=ports[0], database="pyrometer") as client:
                assert client.execute("SELECT span_id FROM spans") == [("aa" * 8,)]
                assert client.execute("SELECT value FROM samples") == [(7,)]
            assert collector.stop() == 0
        finally:
            stop_server(server)


def test_a_database_that_never_answers_does_not_keep_it_from_stopping(tmp_path):
    """It exits 0, what it took stays in the log, and no line shows the password."""
    url = f"clickhouse://me:secret@127.0.0.1:{free_port()}/pyrometer?http_port={free_port()}"
    with running_collector(tmp_path, path="/healthz", PYROMETER_COLLECTOR_STORE__URL=url) as collector:
        assert collector.post("/v1/traces", spans_body(["aa" * 8])).status == 200
        assert collector.stop() == 0
        assert "does not answer" in collector.log()
        assert "secret" not in collector.log()
        assert "Traceback" not in collector.log()
    assert len(list((tmp_path / "log" / "traces").glob("*.sealed"))) == 1
