"""
The same samples in the layouts of others, each filled as its own product fills it, and merged to the end.

gProfiler's studio: a row for each node of the call tree, summed by host and minute, as its agent uploads them. Coroot:
samples with a hash, and stacks as arrays of text. The OpenTelemetry collector's ClickHouse exporter: a row for each
sample with its stack as arrays. Source: their schemas as of 2026; columns that would be empty are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Final

from benchmarks.storage.engine import Engine

_FEW: Final = Template("""
CREATE TABLE peers.drawn ENGINE = MergeTree ORDER BY ts AS
SELECT * FROM drawn ORDER BY ts LIMIT $rows
""")
_STACKS: Final = """
CREATE TABLE peers.whole_stacks ENGINE = MergeTree ORDER BY (service, stack) AS
SELECT service, stack, groupArray(function) AS functions, groupArray(file) AS files, groupArray(line) AS lines
FROM (SELECT * FROM stack_frames ORDER BY service, stack, depth)
WHERE (service, stack) IN (SELECT service, stack FROM peers.drawn)
GROUP BY service, stack
"""

_OURS: Final = (
    "CREATE TABLE peers.samples AS samples",
    """
INSERT INTO peers.samples
SELECT concat('service-', toString(service)), if(toHour(ts) < 12, '1.4.1', '1.4.2'), 'cpu',
    cityHash64('stack', service, stack), cityHash64('series', process), ts, 9990 + value % 20, thread, samples, value
FROM peers.drawn
""",
    "CREATE TABLE peers.stacks AS stacks",
    """
INSERT INTO peers.stacks SELECT * FROM stacks
WHERE stack_id IN (SELECT cityHash64('stack', service, stack) FROM peers.whole_stacks)
""",
    "CREATE TABLE peers.frames AS frames",
    "INSERT INTO peers.frames SELECT * FROM frames",
)

_GPROFILER: Final = (
    """
CREATE TABLE peers.gprofiler
(
    Timestamp DateTime CODEC(DoubleDelta), ServiceId UInt32, InstanceType LowCardinality(String),
    ContainerEnvName LowCardinality(String), HostName LowCardinality(String), HostNameHash UInt32,
    ContainerName LowCardinality(String), ContainerNameHash UInt32, NumSamples Int32 CODEC(DoubleDelta),
    CallStackHash UInt64, CallStackName String CODEC(ZSTD), CallStackParent UInt64,
    InsertionTimestamp DateTime CODEC(DoubleDelta), ErrNumSamples Int32 CODEC(DoubleDelta)
)
ENGINE = MergeTree PARTITION BY toDate(Timestamp)
ORDER BY (ServiceId, InstanceType, ContainerEnvName, HostNameHash, ContainerNameHash, Timestamp)
""",
    """
INSERT INTO peers.gprofiler
SELECT minute, service, 'm5.large', 'prod', concat('node-', toString(host)), host, 'app', 1, sum(seen),
    node.1 AS hash, node.3, node.2, minute, 0
FROM
(
    SELECT toStartOfMinute(ts) AS minute, service, intDiv(process, 8) AS host, stack, sum(samples) AS seen
    FROM peers.drawn GROUP BY ALL
) AS uploaded
INNER JOIN
(
    SELECT service, stack, arrayMap(d -> (cityHash64(arraySlice(functions, 1, d)),
        cityHash64(arraySlice(functions, 1, d - 1)), functions[d]), range(1, length(functions) + 1)) AS nodes
    FROM peers.whole_stacks
) AS trees USING (service, stack)
ARRAY JOIN nodes AS node
GROUP BY minute, service, host, node
""",
)
_COROOT: Final = (
    """
CREATE TABLE peers.profiling_stacks
(
    ServiceName LowCardinality(String) CODEC(ZSTD(1)), Hash UInt64 CODEC(ZSTD(1)),
    LastSeen DateTime64(9) CODEC(Delta, ZSTD(1)), Stack Array(String) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree PARTITION BY toDate(LastSeen) ORDER BY (ServiceName, Hash)
""",
    """
CREATE TABLE peers.profiling_samples
(
    ServiceName LowCardinality(String) CODEC(ZSTD(1)), Type LowCardinality(String) CODEC(ZSTD(1)),
    Start DateTime64(9) CODEC(Delta, ZSTD(1)), End DateTime64(9) CODEC(Delta, ZSTD(1)),
    Labels Map(LowCardinality(String), String) CODEC(ZSTD(1)), StackHash UInt64 CODEC(ZSTD(1)),
    Value Int64 CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toDate(Start) ORDER BY (ServiceName, Type, Start, End)
""",
    """
INSERT INTO peers.profiling_stacks
SELECT concat('service-', toString(service)), cityHash64(functions, files), now64(9),
    arrayMap((f, p, l) -> concat(f, ' ', p, ':', toString(l)), functions, files, lines)
FROM peers.whole_stacks
""",
    """
INSERT INTO peers.profiling_samples
SELECT concat('service-', toString(service)), 'cpu', ts, ts + INTERVAL 10 SECOND,
    map('host', concat('node-', toString(intDiv(process, 8))), 'pid', toString(1000 + process)),
    cityHash64(functions, files), spent
FROM (SELECT service, process, ts, stack, sum(value) AS spent FROM peers.drawn GROUP BY ALL) AS windows
INNER JOIN peers.whole_stacks USING (service, stack)
""",
)
_OTEL: Final = (
    """
CREATE TABLE peers.otel_profiles
(
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), ProfileId String CODEC(ZSTD(1)),
    SampleType LowCardinality(String) CODEC(ZSTD(1)), SampleUnit LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    SampleAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), StackHash UInt64 CODEC(ZSTD(1)),
    FunctionNames Array(LowCardinality(String)) CODEC(ZSTD(1)), FileNames Array(LowCardinality(String)) CODEC(ZSTD(1)),
    LineNumbers Array(Int64) CODEC(ZSTD(1)), Values Array(Int64) CODEC(ZSTD(1)), Duration UInt64 CODEC(ZSTD(1))
)
ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, SampleType, toDateTime(Timestamp))
SETTINGS ttl_only_drop_parts = 1
""",
    """
INSERT INTO peers.otel_profiles
SELECT ts, lower(hex(cityHash64('profile', process, ts))), 'cpu', 'nanoseconds', concat('service-', toString(service)),
    map('service.name', concat('service-', toString(service)),
        'host.name', concat('node-', toString(intDiv(process, 8))), 'process.pid', toString(1000 + process)),
    map('thread.id', toString(thread)), cityHash64(functions, files), functions, files, lines, [value], 10000000000
FROM peers.drawn INNER JOIN peers.whole_stacks USING (service, stack)
""",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """
    One way to keep samples.

    Attributes:
        name: As the report calls it.
        tables: That hold them.
        statements: Make and fill these.
        flamegraph: Returns all that a flame graph of the largest service needs; empty: asked through the API.
    """

    name: str
    tables: tuple[str, ...]
    statements: tuple[str, ...]
    flamegraph: str = ""


LAYOUTS: Final = (
    Layout("ours: narrow rows, stacks, frames", ("peers.samples", "peers.stacks", "peers.frames"), _OURS),
    Layout(
        "Coroot: samples and stacks of text",
        ("peers.profiling_samples", "peers.profiling_stacks"),
        _COROOT,
        """
SELECT any(Stack) AS stack, sum(spent) AS value FROM
(
    SELECT StackHash AS Hash, sum(Value) AS spent FROM peers.profiling_samples
    WHERE ServiceName = 'service-0' AND Type = 'cpu' GROUP BY StackHash
) AS sums
INNER JOIN peers.profiling_stacks USING (Hash) WHERE ServiceName = 'service-0' GROUP BY Hash
""",
    ),
    Layout(
        "OpenTelemetry exporter: arrays in each row (no text indexes)",
        ("peers.otel_profiles",),
        _OTEL,
        """
SELECT any(FunctionNames) AS functions, any(FileNames) AS files, any(LineNumbers) AS lines, sum(Values[1]) AS value
FROM peers.otel_profiles WHERE ServiceName = 'service-0' AND SampleType = 'cpu' GROUP BY StackHash
""",
    ),
    Layout(
        "gProfiler: a row for each node, host and minute",
        ("peers.gprofiler",),
        _GPROFILER,
        """
SELECT CallStackHash, any(CallStackName) AS name, any(CallStackParent) AS parent, sum(NumSamples) AS value
FROM peers.gprofiler WHERE ServiceId = 0 GROUP BY CallStackHash ORDER BY value DESC LIMIT 10000
""",
    ),
)


def fill_peers(engine: Engine, rows: int) -> None:
    """Make all layouts, of the first rows that were drawn."""
    engine.run("CREATE DATABASE peers")
    engine.run(_FEW.substitute(rows=rows))
    engine.run(_STACKS)
    for layout in LAYOUTS:
        for statement in layout.statements:
            engine.run(statement)
        engine.merge(*layout.tables)


def stored_bytes(engine: Engine) -> Mapping[str, tuple[int, int]]:
    """Return rows of the first table, and bytes of all, by layout."""
    sizes = engine.sizes()
    return {
        layout.name: (sizes[layout.tables[0]].rows, sum(sizes[table].stored_bytes for table in layout.tables))
        for layout in LAYOUTS
    }
