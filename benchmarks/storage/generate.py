"""
A day of a fleet, made by the engine itself, so that fifty million rows take minutes.

Every process has a window every ten seconds, with so many stacks of the thousands of its service, drawn by Zipf's law
(the k-th most frequent has a share of 1/k). Stacks are thirty frames deep: framework above, the service's own code
below, which branches out towards the leaf. Services are drawn by the same law. At noon each service goes to its next
release. Values are nanoseconds as a kernel accounts them, of which no two are alike: nothing is rounded to compress
better. Window starts have a phase for each process, and a few milliseconds of jitter.
"""

from dataclasses import dataclass
from string import Template
from typing import Final

from benchmarks.storage.engine import Engine

SERVICES: Final = 20
STACKS_PER_SERVICE: Final = 4000
DEPTH: Final = 30
ROWS_PER_WINDOW: Final = 6
WINDOW_S: Final = 10
DAY_S: Final = 86_400
OPERATIONS_PER_SERVICE: Final = 50
_CHUNK_ROWS: Final = 2_000_000

# A scratch table, from which our tables and those of others are filled. seen: of a thousand samples.
_DRAWN: Final = """
CREATE TABLE drawn
(
    ts DateTime64(3, 'UTC'), process UInt32, service UInt16, stack UInt32, thread UInt64, samples UInt32, value Int64
)
ENGINE = MergeTree ORDER BY ts
"""
# pow(n, u) with u uniform in [0, 1) is Zipf's law with exponent 1.
_DRAW: Final = Template("""
INSERT INTO drawn
SELECT
    fromUnixTimestamp64Milli(toInt64($start_ms + tick * $interval_ms + phase_ms + rand(1) % 20), 'UTC') AS ts,
    process,
    least(toUInt16(pow($services, (cityHash64('service', process) % 1000000) / 1000000)) - 1, $services - 1) AS service,
    toUInt32(pow($stacks, rand64(2) / pow(2, 64))) - 1 AS stack,
    1000 + process * 10 + rand(3) % 4 AS thread,
    toUInt32(pow(190, rand64(4) / pow(2, 64))) AS samples,
    toInt64(samples * 52631578 * (0.9 + 0.2 * rand64(5) / pow(2, 64))) AS value
FROM
(
    SELECT
        intDiv(number, $rows_per_window) AS window,
        toUInt32(window % $processes) AS process,
        intDiv(window, $processes) AS tick,
        cityHash64('phase', process) % $window_ms AS phase_ms
    FROM numbers($first, $count)
)
""")

_SAMPLES: Final = """
INSERT INTO samples
SELECT concat('service-', toString(service)), if(toHour(ts) < 12, '1.4.1', '1.4.2'), 'cpu',
    cityHash64('stack', service, stack), cityHash64('series', process), ts, 9990 + value % 20, thread, samples, value
FROM drawn
"""
# Frame d of stack k: its number among the frames of that depth, which are few at the root and many at the leaf.
_FRAMES: Final = Template("""
CREATE TABLE stack_frames ENGINE = MergeTree ORDER BY (service, stack, depth) AS
SELECT
    toUInt16(intDiv(number, $stacks)) AS service,
    toUInt32(number % $stacks) AS stack,
    toUInt8(d) AS depth,
    stack % toUInt32(ceil(pow(400, d / $depth))) AS branch,
    if(d < 15, concat('framework.step_', toString(d), '_', toString(branch)),
        concat('service_', toString(service), '.Handler.step_', toString(d), '_', toString(branch))) AS function,
    if(d < 15, concat('/usr/lib/python3/site-packages/framework/part_', toString(d), '.py'),
        concat('/srv/app/service_', toString(service), '/part_', toString(d), '.py')) AS file,
    toUInt32(10 + branch) AS line
FROM numbers($services * $stacks)
ARRAY JOIN range($depth) AS d
""")
_CONTENT: Final = (
    """
INSERT INTO frames
SELECT DISTINCT cityHash64('frame', function, file, line), function, file, line, 'python', now64(3) FROM stack_frames
""",
    """
INSERT INTO stacks
SELECT cityHash64('stack', service, stack), groupArray(cityHash64('frame', function, file, line)), now64(3)
FROM (SELECT * FROM stack_frames ORDER BY service, stack, depth)
GROUP BY service, stack
""",
    """
INSERT INTO series
SELECT cityHash64('series', process), concat('service-', toString(any(service))), '1.4.2',
    concat('node-', toString(intDiv(process, 8))), 1000 + process, map('process.pid', toString(1000 + process)),
    now64(3)
FROM drawn GROUP BY process
""",
    """
INSERT INTO service_cost
SELECT concat('service-', toString(service)), if(toHour(ts) < 12, '1.4.1', '1.4.2'),
    concat('node-', toString(intDiv(process, 8))), toStartOfInterval(ts, INTERVAL 10 SECOND) AS bucket,
    sum(value), sum(samples), uniqExact(process) * 10000000000, uniqExact(process)
FROM drawn GROUP BY ALL
""",
)
# Self time belongs to the leaf. As in _FRAMES, but without a join: that is thirty rows for each drawn one.
_FUNCTION_COST: Final = Template("""
INSERT INTO function_cost
SELECT concat('service-', toString(service)), if(toHour(bucket) < 12, '1.4.1', '1.4.2'), bucket,
    if(d < 15, concat('framework.step_', toString(d), '_', toString(branch)),
        concat('service_', toString(service), '.Handler.step_', toString(d), '_', toString(branch))),
    if(d < 15, concat('/usr/lib/python3/site-packages/framework/part_', toString(d), '.py'),
        concat('/srv/app/service_', toString(service), '/part_', toString(d), '.py')),
    if(d = $leaf, spent, 0), spent, seen
FROM
(
    SELECT service, bucket, d, stack % widths[d + 1] AS branch, sum(value) AS spent, sum(samples) AS seen
    FROM
    (
        SELECT service, stack, toStartOfInterval(ts, INTERVAL 10 SECOND) AS bucket, value, samples,
            (SELECT groupArray(toUInt32(ceil(pow(400, number / $depth)))) FROM numbers($depth)) AS widths
        FROM drawn
        WHERE ts >= fromUnixTimestamp64Milli($from_ms, 'UTC') AND ts < fromUnixTimestamp64Milli($to_ms, 'UTC')
    )
    ARRAY JOIN range($depth) AS d
    GROUP BY service, bucket, d, branch
)
""")
_SPANS: Final = Template("""
INSERT INTO span_rows
    (service, version, operation, kind, ts, duration_ns, status, trace_id, span_id, parent_span_id,
    attributes, resource_attributes, scope_name, scope_version)
SELECT
    concat('service-', toString(service_number)), if(number < $half, '1.4.1', '1.4.2'),
    concat('GET /api/', toString(operation_number), '/{id}'), if(number % 4 = 0, 'server', 'internal'),
    fromUnixTimestamp64Nano(toInt64($start_ns + intDiv(number * $day_ns, $spans) + rand(1) % 1000000), 'UTC'),
    toUInt64(exp(13 + operation_number % 7 + randNormal(0, 0.7, 2))), if(rand(3) % 50 = 0, 'error', 'unset'),
    lower(hex(cityHash64('trace', intDiv(number, 8)))) || lower(hex(cityHash64('trace2', intDiv(number, 8)))),
    lower(hex(rand64(4))), if(number % 8 = 0, '', lower(hex(rand64(5)))),
    map('http.request.method', 'GET', 'http.route', concat('/api/', toString(operation_number), '/{id}'),
        'url.path', concat('/api/', toString(operation_number), '/', toString(rand(7) % 100000)),
        'server.address', 'shop.internal', 'network.peer.address', concat('10.0.', toString(rand(8) % 8192)),
        'user_agent.original', concat('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.', toString(rand(9) % 20)),
        'http.response.status_code', if(rand(3) % 50 = 0, '500', '200'), 'server.port', '8080',
        'thread.id', toString(1000 + rand(6) % 8), 'http.response.body.size', toString(rand(10) % 50000)),
    map('service.name', concat('service-', toString(service_number)), 'service.version', '1.4.2',
        'host.name', concat('node-', toString(process % 125)), 'process.pid', toString(1000 + process)),
    'opentelemetry.instrumentation.asgi', '0.66b2'
FROM
(
    SELECT number, toUInt32(pow($services, rand64(11) / pow(2, 64))) - 1 AS service_number,
        toUInt32(pow($operations, rand64(12) / pow(2, 64))) - 1 AS operation_number, rand(13) % 1000 AS process
    FROM numbers($first, $count)
)
""")


@dataclass(frozen=True, slots=True)
class Day:
    """
    The day that is generated.

    Attributes:
        end_s: Its end, Unix seconds.
        rows: Of stack samples.
        spans: How many.
    """

    end_s: int
    rows: int
    spans: int

    @property
    def start_s(self) -> int:
        """Return its start, Unix seconds."""
        return self.end_s - DAY_S

    @property
    def processes(self) -> int:
        """Return how many processes it takes to have so many rows; some of each service."""
        return max(3 * SERVICES, self.rows // (ROWS_PER_WINDOW * DAY_S // WINDOW_S))

    @property
    def interval_ms(self) -> int:
        """Return the time between two windows of a process: ten seconds, more where that would be too many rows."""
        return max(WINDOW_S * 1000, DAY_S * 1000 * ROWS_PER_WINDOW * self.processes // self.rows)


def draw(engine: Engine, day: Day) -> None:
    """Draw the samples, and make the frames of their stacks."""
    engine.run(_DRAWN)
    engine.run(_FRAMES.substitute(services=SERVICES, stacks=STACKS_PER_SERVICE, depth=DEPTH))
    for first in range(0, day.rows, _CHUNK_ROWS):
        engine.run(
            _DRAW.substitute(
                start_ms=day.start_s * 1000,
                window_ms=WINDOW_S * 1000,
                interval_ms=day.interval_ms,
                services=SERVICES,
                stacks=STACKS_PER_SERVICE,
                rows_per_window=ROWS_PER_WINDOW,
                processes=day.processes,
                first=first,
                count=min(_CHUNK_ROWS, day.rows - first),
            )
        )


def fill_our_tables(engine: Engine, day: Day) -> None:
    """Fill our tables with what was drawn, and with spans, through the views that spans go through."""
    engine.run(_SAMPLES)
    for statement in _CONTENT:
        engine.run(statement)
    for hour in range(24):
        from_ms = (day.start_s + hour * 3600) * 1000
        engine.run(_FUNCTION_COST.substitute(leaf=DEPTH - 1, depth=DEPTH, from_ms=from_ms, to_ms=from_ms + 3_600_000))
    for first in range(0, day.spans, _CHUNK_ROWS):
        engine.run(
            _SPANS.substitute(
                start_ns=day.start_s * 10**9,
                day_ns=DAY_S * 10**9,
                spans=day.spans,
                half=day.spans // 2,
                services=SERVICES,
                operations=OPERATIONS_PER_SERVICE,
                first=first,
                count=min(_CHUNK_ROWS, day.spans - first),
            )
        )
