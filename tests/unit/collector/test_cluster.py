"""Statements of migrations, rewritten for a cluster: what no server of the tests can run is checked as text."""

import re

import pytest

from collector.settings import StoreSettings
from collector.store.cluster import Cluster, cluster_statements, stored_tables
from collector.store.statements import migration_texts, split_statements
from pyrometer.errors import ConfigError

STATEMENTS = [statement for _, text in migration_texts() for statement in split_statements(text)]
WITH_KEEPER = Cluster("fleet")
WITHOUT_KEEPER = Cluster("fleet", keeper=False)
TABLE = """CREATE TABLE IF NOT EXISTS things
(
    name String CODEC(ZSTD(1)),
    at DateTime('UTC')
)
ENGINE = ReplacingMergeTree(at)
PARTITION BY toDate(at)
ORDER BY (name, at)
TTL at + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1"""


def test_a_table_of_rows_becomes_two():
    """The rows are in a replicated table of each shard; the name stands for all of them, cut by the sorting key."""
    local, whole = cluster_statements(TABLE, WITH_KEEPER)

    assert local == TABLE.replace("things", "things_local ON CLUSTER 'fleet'").replace(
        "ENGINE = ReplacingMergeTree(at)",
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', at)",
    ).replace("non_replicated", "replicated")
    assert whole == (
        "CREATE TABLE IF NOT EXISTS things ON CLUSTER 'fleet' AS things_local "
        "ENGINE = Distributed('fleet', currentDatabase(), 'things_local', cityHash64(name, at))"
    )


def test_without_a_keeper_nothing_asks_for_one():
    """Neither Replicated engines nor ON CLUSTER, and each table keeps its own window of tokens."""
    statements = [one for statement in STATEMENTS for one in cluster_statements(statement, WITHOUT_KEEPER)]

    assert statements
    assert not [one for one in statements if re.search(r"Replicated|ON CLUSTER|\breplicated_dedup", one)]
    assert cluster_statements(TABLE, WITHOUT_KEEPER)[0] == TABLE.replace("things", "things_local")


def test_every_migration_can_be_rewritten():
    """Each definition goes to all servers, each table of rows gets its shards, and no row is kept outside of them."""
    for statement in STATEMENTS:
        rewritten = cluster_statements(statement, WITH_KEEPER)
        assert all(one.startswith("INSERT") or " ON CLUSTER 'fleet'" in one for one in rewritten), statement
        engines = re.findall(r"ENGINE = (\w+)", " ".join(rewritten))
        assert all(engine in {"Null", "Distributed"} or engine.startswith("Replicated") for engine in engines)
    assert {"samples", "spans", "latency", "frames"} <= stored_tables()


def test_a_view_of_stored_rows_stays_on_its_shard():
    """It reads the rows of the shard it is on and writes there; one that parses requests hands its rows out."""
    stored, parsed = (
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO latency AS\nSELECT 1 FROM spans",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO latency AS\nSELECT 1 FROM span_rows",
    )

    assert cluster_statements(stored, WITHOUT_KEEPER) == [
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO latency_local AS\nSELECT 1 FROM spans_local AS spans"
    ]
    assert cluster_statements(parsed, WITH_KEEPER) == [parsed.replace(" TO latency", " ON CLUSTER 'fleet' TO latency")]


def test_a_change_of_columns_changes_both_tables():
    """A codec belongs to the stored one alone; what is no matter of columns is not said to the other."""
    assert cluster_statements("ALTER TABLE spans ADD COLUMN x String CODEC(DoubleDelta, ZSTD(1))", WITH_KEEPER) == [
        "ALTER TABLE spans_local ON CLUSTER 'fleet' ADD COLUMN x String CODEC(DoubleDelta, ZSTD(1))",
        "ALTER TABLE spans ON CLUSTER 'fleet' ADD COLUMN x String",
    ]
    assert cluster_statements("ALTER TABLE spans MODIFY TTL ts + INTERVAL 1 DAY", WITHOUT_KEEPER) == [
        "ALTER TABLE spans_local MODIFY TTL ts + INTERVAL 1 DAY"
    ]


def test_an_unknown_form_is_refused():
    """A migration of a form that nobody thought of fails, instead of reaching one server of many."""
    with pytest.raises(ValueError, match="DROP TABLE spans"):
        cluster_statements("DROP TABLE spans", WITH_KEEPER)


@pytest.mark.parametrize("name", ["", "a'b", "1st", "x" * 65])
def test_a_name_that_is_none_is_refused(name):
    """What goes into the statements as text is checked."""
    with pytest.raises(ConfigError, match=r"store\.cluster"):
        Cluster(name)


def test_settings_name_the_cluster():
    """No name, no cluster; a name needs a server."""
    url = "clickhouse://u:p@h/d"

    assert StoreSettings().server_cluster() is None
    assert StoreSettings(url=url, cluster="fleet").server_cluster() == WITH_KEEPER
    assert StoreSettings(url=url, cluster="fleet", cluster_keeper=False).server_cluster() == WITHOUT_KEEPER
    with pytest.raises(ConfigError, match=r"store\.url"):
        StoreSettings(cluster="fleet").server_cluster()
