-- OTLP traces as ClickHouse reads them from raw protobuf (schema: otlp_traces.proto), and the views that flatten them.
-- `value` in an attribute's value says which member of the oneof was set, so that 0, false and '' differ from absent.
-- Arrays and maps are read one level deep and stored as JSON text. What is nested deeper is stored as null.
CREATE TABLE IF NOT EXISTS otlp_traces
(
    resource_spans Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
            array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
            kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
        scope_spans Array(Tuple(
            scope Tuple(name String, version String),
            spans Array(Tuple(
                trace_id String, span_id String, trace_state String, parent_span_id String, flags UInt32,
                name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64,
                attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                    value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                dropped_attributes_count UInt32,
                events Array(Tuple(time_unix_nano UInt64, name String,
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))))),
                dropped_events_count UInt32,
                links Array(Tuple(trace_id String, span_id String, trace_state String,
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))))),
                dropped_links_count UInt32,
                status Tuple(message String, code Int32)))))))
)
ENGINE = Null;

-- One row per span; the views below take from it what their table holds.
CREATE TABLE IF NOT EXISTS span_rows
(
    service String,
    version String,
    operation String,
    kind String,
    ts DateTime64(9, 'UTC'),
    duration_ns UInt64,
    status String,
    trace_id String,
    span_id String,
    parent_span_id String,
    trace_state String,
    flags UInt32,
    status_message String,
    attributes Map(String, String),
    resource_attributes Map(String, String),
    scope_name String,
    scope_version String,
    events Array(Tuple(ts DateTime64(9, 'UTC'), name String, attributes Map(String, String))),
    links Array(Tuple(trace_id String, span_id String, trace_state String, attributes Map(String, String))),
    dropped_attributes UInt32,
    dropped_events UInt32,
    dropped_links UInt32
)
ENGINE = Null;

-- Names are cut at 10,000 characters. A span that ends before it starts has the duration 0, and none lasts longer than
-- 30 days (so that sums of durations do not overflow).
-- Spans outside the time that the tables keep are counted in rejected_rows instead.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_to_span_rows TO span_rows AS
WITH
    v -> multiIf(
        v.value = 'string_value', toJSONString(v.string_value), v.value = 'int_value', toString(v.int_value),
        v.value = 'double_value', toString(v.double_value), v.value = 'bool_value', toString(v.bool_value),
        v.value = 'bytes_value', toJSONString(base64Encode(v.bytes_value)), 'null') AS json_text,
    v -> multiIf(
        v.value = 'string_value', v.string_value, v.value = 'int_value', toString(v.int_value),
        v.value = 'double_value', toString(v.double_value), v.value = 'bool_value', toString(v.bool_value),
        v.value = 'bytes_value', base64Encode(v.bytes_value),
        v.value = 'array_value',
            concat('[', arrayStringConcat(arrayMap(x -> json_text(x), v.array_value.values), ','), ']'),
        v.value = 'kvlist_value',
            concat('{', arrayStringConcat(arrayMap(x -> concat(toJSONString(x.key), ':', json_text(x.value)),
                v.kvlist_value.values), ','), '}'),
        '') AS any_text,
    pairs -> mapFromArrays(arrayMap(p -> p.key, pairs), arrayMap(p -> any_text(p.value), pairs)) AS to_map
SELECT
    leftUTF8(if(empty(resource_attributes['service.name']), 'unknown_service', resource_attributes['service.name']), 10000) AS service,
    leftUTF8(resource_attributes['service.version'], 10000) AS version,
    leftUTF8(span.name, 10000) AS operation,
    transform(span.kind, [1, 2, 3, 4, 5], ['internal', 'server', 'client', 'producer', 'consumer'], 'unspecified') AS kind,
    fromUnixTimestamp64Nano(toInt64(span.start_time_unix_nano), 'UTC') AS ts,
    if(span.end_time_unix_nano > span.start_time_unix_nano,
        least(toUInt64(span.end_time_unix_nano - span.start_time_unix_nano), 2592000000000000), 0) AS duration_ns,
    transform(span.status.code, [1, 2], ['ok', 'error'], 'unset') AS status,
    lower(hex(span.trace_id)) AS trace_id,
    lower(hex(span.span_id)) AS span_id,
    lower(hex(span.parent_span_id)) AS parent_span_id,
    span.trace_state AS trace_state,
    span.flags AS flags,
    span.status.message AS status_message,
    to_map(span.attributes) AS attributes,
    resource_attributes,
    scope.name AS scope_name,
    scope.version AS scope_version,
    arrayMap(e -> (fromUnixTimestamp64Nano(toInt64(e.time_unix_nano), 'UTC'), e.name, to_map(e.attributes)),
        span.events) AS events,
    arrayMap(l -> (lower(hex(l.trace_id)), lower(hex(l.span_id)), l.trace_state, to_map(l.attributes)),
        span.links) AS links,
    span.dropped_attributes_count AS dropped_attributes,
    span.dropped_events_count AS dropped_events,
    span.dropped_links_count AS dropped_links
FROM
(
    SELECT resource_attributes, scope, arrayJoin(spans) AS span
    FROM
    (
        SELECT resource_attributes, scope_spans.scope AS scope, scope_spans.spans AS spans
        FROM
        (
            SELECT to_map(resource_span.resource.attributes) AS resource_attributes,
                arrayJoin(resource_span.scope_spans) AS scope_spans
            FROM (SELECT arrayJoin(resource_spans) AS resource_span FROM otlp_traces)
        )
    )
)
WHERE span.start_time_unix_nano BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY);

CREATE MATERIALIZED VIEW IF NOT EXISTS span_rows_to_spans TO spans AS
SELECT service, version, operation, kind, ts, duration_ns, status, trace_id, span_id, parent_span_id,
    resource_attributes['host.name'] AS host,
    toUInt32OrZero(resource_attributes['process.pid']) AS pid,
    toUInt64OrZero(attributes['thread.id']) AS thread_id
FROM span_rows;

CREATE MATERIALIZED VIEW IF NOT EXISTS span_rows_to_span_details TO span_details AS
SELECT trace_id, span_id, ts, trace_state, flags, status_message, attributes, resource_attributes,
    scope_name, scope_version, events, links, dropped_attributes, dropped_events, dropped_links
FROM span_rows;

CREATE MATERIALIZED VIEW IF NOT EXISTS span_rows_to_latency TO latency AS
SELECT service, version, operation, kind,
    toStartOfInterval(toDateTime(ts, 'UTC'), INTERVAL 10 SECOND) AS bucket,
    toInt16(floor(log2(greatest(span_rows.duration_ns, 1)) * 16)) AS hist_index,
    count() AS count,
    countIf(status = 'error') AS errors,
    sum(span_rows.duration_ns) AS duration_ns
FROM span_rows
GROUP BY service, version, operation, kind, bucket, hist_index;

-- Rows that were received and not stored, by reason.
CREATE TABLE IF NOT EXISTS rejected_rows
(
    signal LowCardinality(String),
    reason LowCardinality(String),
    bucket DateTime('UTC'),
    rows UInt64
)
ENGINE = SummingMergeTree(rows)
PARTITION BY toDate(bucket)
ORDER BY (signal, reason, bucket)
TTL bucket + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_to_rejected_rows TO rejected_rows AS
SELECT 'traces' AS signal, 'time_out_of_range' AS reason, toStartOfHour(now('UTC')) AS bucket, count() AS rows
FROM
(
    SELECT arrayJoin(arrayFlatten(arrayMap(
        r -> arrayMap(s -> s.spans.start_time_unix_nano, r.scope_spans), resource_spans))) AS start
    FROM otlp_traces
)
WHERE start NOT BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY)
HAVING rows > 0;
