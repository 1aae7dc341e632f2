-- Log records, whole; found by service and time, or by the trace they belong to.
-- ts is the time of the event, or else the time it was observed. Names of severities are the sender's.
CREATE TABLE IF NOT EXISTS logs
(
    service LowCardinality(String),
    ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    observed_ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    version LowCardinality(String),
    host LowCardinality(String),
    severity UInt8,
    severity_text LowCardinality(String),
    event_name LowCardinality(String),
    body String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    flags UInt32,
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String),
    scope_schema_url LowCardinality(String),
    dropped_attributes UInt32,
    dropped_resource_attributes UInt32,
    dropped_scope_attributes UInt32,
    INDEX trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (service, ts)
TTL toDateTime(ts) + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

-- OTLP logs as ClickHouse reads them from raw protobuf (schema: otlp_logs.proto). Values as in 0015.
CREATE TABLE IF NOT EXISTS otlp_logs
(
    resource_logs Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
            array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                array_value String, kvlist_value String,
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
            kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                array_value String, kvlist_value String,
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))), dropped_attributes_count UInt32),
        schema_url String,
        scope_logs Array(Tuple(
            scope Tuple(name String, version String, attributes Array(Tuple(key String, value Tuple(
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value String, kvlist_value String,
                    value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value String, kvlist_value String,
                    value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))), dropped_attributes_count UInt32),
            schema_url String,
            log_records Array(Tuple(
                time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String,
                event_name String, trace_id String, span_id String, flags UInt32, dropped_attributes_count UInt32,
                body Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value String, kvlist_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value String, kvlist_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                    value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)),
                attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value String, kvlist_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value String, kvlist_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                    value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))))))))
)
ENGINE = Null;

-- The body stands with the attributes, as the value of one without a key, so that to_map is used once for both.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_logs_to_logs TO logs AS
WITH
    v -> multiIf(
        v.value = 'string_value', toJSONString(v.string_value), v.value = 'int_value', toString(v.int_value),
        v.value = 'double_value', toString(v.double_value), v.value = 'bool_value', toString(v.bool_value),
        v.value = 'bytes_value', toJSONString(base64Encode(v.bytes_value)),
        v.value = 'array_value', concat('{"protobuf":', toJSONString(base64Encode(v.array_value)), '}'),
        v.value = 'kvlist_value', concat('{"protobuf":', toJSONString(base64Encode(v.kvlist_value)), '}'),
        'null') AS json_text,
    v -> multiIf(
        v.value = 'string_value', v.string_value, v.value = 'int_value', toString(v.int_value),
        v.value = 'double_value', toString(v.double_value), v.value = 'bool_value', toString(v.bool_value),
        v.value = 'bytes_value', base64Encode(v.bytes_value),
        v.value IN ('array_value', 'kvlist_value'),
            concat(if(v.value = 'array_value', '[', '{'), arrayStringConcat(arrayMap((start, x) -> concat(start, json_text(x)),
                arrayConcat(arrayMap(x -> '', v.array_value.values),
                    arrayMap(key -> concat(toJSONString(key), ':'), v.kvlist_value.values.key)),
                arrayConcat(v.array_value.values, v.kvlist_value.values.value)), ','),
                if(v.value = 'array_value', ']', '}')),
        '') AS any_text,
    pairs -> mapFromArrays(arrayMap(p -> p.1, pairs), arrayMap(p -> any_text(p.2), pairs)) AS to_map,
    arrayJoin(resource_logs) AS resource_log,
    arrayJoin(resource_log.scope_logs) AS scope_log,
    arrayJoin(scope_log.log_records) AS record,
    arrayMap(list -> to_map(list), [resource_log.resource.attributes, scope_log.scope.attributes]) AS shared_maps,
    arrayMap(list -> to_map(list), [[('', record.body)], record.attributes]) AS maps,
    if(record.time_unix_nano = 0, record.observed_time_unix_nano, record.time_unix_nano) AS time
SELECT
    leftUTF8(if(empty(resource_attributes['service.name']), 'unknown_service', resource_attributes['service.name']), 10000) AS service,
    fromUnixTimestamp64Nano(toInt64(time), 'UTC') AS ts,
    fromUnixTimestamp64Nano(toInt64(record.observed_time_unix_nano), 'UTC') AS observed_ts,
    leftUTF8(resource_attributes['service.version'], 10000) AS version,
    leftUTF8(resource_attributes['host.name'], 10000) AS host,
    toUInt8(least(greatest(record.severity_number, 0), 24)) AS severity,
    leftUTF8(record.severity_text, 10000) AS severity_text,
    leftUTF8(record.event_name, 10000) AS event_name,
    maps[1][''] AS body,
    lower(hex(record.trace_id)) AS trace_id,
    lower(hex(record.span_id)) AS span_id,
    record.flags AS flags,
    maps[2] AS attributes,
    shared_maps[1] AS resource_attributes,
    scope_log.scope.name AS scope_name,
    scope_log.scope.version AS scope_version,
    shared_maps[2] AS scope_attributes,
    resource_log.schema_url AS resource_schema_url,
    scope_log.schema_url AS scope_schema_url,
    record.dropped_attributes_count AS dropped_attributes,
    resource_log.resource.dropped_attributes_count AS dropped_resource_attributes,
    scope_log.scope.dropped_attributes_count AS dropped_scope_attributes
FROM otlp_logs
WHERE time BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_logs_to_rejected_rows TO rejected_rows AS
SELECT 'logs' AS signal, 'time_out_of_range' AS reason, toStartOfHour(now('UTC')) AS bucket, count() AS rows
FROM
(
    SELECT arrayJoin(arrayFlatten(arrayMap(r -> arrayMap(s -> arrayMap(
        l -> if(l.time_unix_nano = 0, l.observed_time_unix_nano, l.time_unix_nano), s.log_records), r.scope_logs),
        resource_logs))) AS time
    FROM otlp_logs
)
WHERE time NOT BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY)
HAVING rows > 0;
