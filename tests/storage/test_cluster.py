"""
Two shards of two replicas, four real servers: each answers for all, and nothing is stored twice.

Run by `make soak`: four servers take a minute of two CPUs to become ready. They lack Replicated engines and ON CLUSTER,
so the cluster is one without a Keeper; what else there is to one is in tests/unit/collector/test_cluster.py.
"""

import time

import pytest

from collector.profile_rows import KnownContent, profiles_to_rows
from collector.store.address import ServerAddress
from collector.store.cluster import LOCAL, Cluster, stored_tables
from collector.store.migrate import migrate, pending_migrations
from collector.store.retention import RetentionSettings, apply_retention, retention_changes
from collector.store.server import ServerStore
from pyrometer.errors import ConfigError
from tests.clickhouse_server import clickhouse_cluster
from tests.contract.api_data import a_profile, add_spans, write_fleet
from tests.storage.fleet_answers import check_answers
from tests.storage.requests import ExportTraceServiceRequest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]
_NAME = "fleet"


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """One store for each server; the tables were made through the first."""
    with clickhouse_cluster(tmp_path_factory.mktemp("cluster"), _NAME, shards=2, replicas=2) as urls:
        cluster = Cluster(_NAME, keeper=False)
        stores = [ServerStore(ServerAddress.parse(url), cluster=cluster) for url in urls]
        migrate(stores[0])
        yield stores
        for store in stores:
            store.close()


def count(store, table):
    return int(store.select(f"SELECT count() AS rows FROM {table}")[0]["rows"])  # noqa: S608


def test_the_tables_are_everywhere(stores):
    """A migration through one server is done for all of them."""
    assert [pending_migrations(store) for store in stores] == [[]] * 4
    assert [count(store, table) for store in stores for table in sorted(stored_tables())]


def test_every_server_answers_for_all_and_each_shard_holds_a_part(stores):
    """Rows written through one server come out of every route of each; both replicas of a shard hold the same."""
    fleet = write_fleet(stores[0])

    for store in stores:
        check_answers(store, fleet)
    for table in ("samples", "spans", "latency", "metric_points"):
        first, its_replica, second, its_other = (count(store, table + LOCAL) for store in stores)
        assert (first, second) == (its_replica, its_other)
        assert min(first, second) > 0
        assert [count(store, table) for store in stores] == [first + second] * 4


def test_a_repeated_insert_stores_nothing(stores):
    """The same token through another server is recognised by each shard, for rows and for raw requests."""
    now_s = int(time.time()) // 10 * 10
    rows = profiles_to_rows([a_profile("7", "host-7", now_s, render_ms=400, price_ms=20)], KnownContent())
    spans = ExportTraceServiceRequest()
    add_spans(spans, "repeated", "7", [(now_s - i, "GET /", 10**6, False) for i in range(50)])
    counts = []
    for store in (stores[0], stores[3], stores[1]):
        for table, columns in rows.tables.items():
            store.insert(table, columns, token=f"repeated-{table}")
        store.insert_otlp("traces", spans.SerializeToString(), token="repeated-traces")
        counts.append(
            [count(store, table) for table in ("samples", "service_cost", "spans", "latency", "releases_seen")]
        )

    assert counts[0] == counts[1] == counts[2]


def test_days_are_changed_everywhere(stores):
    """What the settings say of a table reaches its rows on every server, once."""
    settings = RetentionSettings(spans_days=3)

    assert [change.table for change in apply_retention(stores[0], settings)] == ["span_details", "spans"]
    assert [retention_changes(store, settings) for store in stores] == [[]] * 4


def test_a_cluster_that_the_server_does_not_know_is_said(stores):
    """Before any table is made on one server only."""
    store = ServerStore(stores[0]._address, cluster=Cluster("another", keeper=False))

    with pytest.raises(ConfigError, match=r"another.*knows no such cluster"):
        migrate(store)
    store.close()
