-- OTLP metrics as ClickHouse reads them from raw protobuf (schema: otlp_metrics.proto), and the views that flatten them.
-- Attributes as in 0013. sum, min and max are lists in the schema here, so that absent differs from 0.
CREATE TABLE IF NOT EXISTS otlp_metrics
(
    resource_metrics Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
            array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
            kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
        scope_metrics Array(Tuple(
            metrics Array(Tuple(
                name String, unit String,
                gauge Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    time_unix_nano UInt64, as_double Float64, as_int Int64,
                    value Enum8('absent' = 0, 'as_double' = 4, 'as_int' = 6), flags UInt32))),
                sum Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    time_unix_nano UInt64, as_double Float64, as_int Int64,
                    value Enum8('absent' = 0, 'as_double' = 4, 'as_int' = 6), flags UInt32)), aggregation_temporality Int32, is_monotonic Bool),
                histogram Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    time_unix_nano UInt64, count UInt64, sum Array(Float64), min Array(Float64), max Array(Float64),
                    bucket_counts Array(UInt64), explicit_bounds Array(Float64), flags UInt32)),
                    aggregation_temporality Int32),
                exponential_histogram Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    time_unix_nano UInt64, count UInt64, sum Array(Float64), min Array(Float64), max Array(Float64),
                    scale Int32, zero_count UInt64, positive Tuple(offset Int32, bucket_counts Array(UInt64)),
                    negative Tuple(offset Int32, bucket_counts Array(UInt64)), flags UInt32)),
                    aggregation_temporality Int32),
                summary Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    time_unix_nano UInt64, count UInt64, sum Float64, flags UInt32)))))))))
)
ENGINE = Null;

-- One row per data point; the views below take from it what their table holds.
CREATE TABLE IF NOT EXISTS metric_rows
(
    series_id UInt64,
    metric String,
    unit String,
    type String,
    monotonic Bool,
    temporality String,
    service String,
    host String,
    attributes Map(String, String),
    resource_attributes Map(String, String),
    ts DateTime64(3, 'UTC'),
    value Float64,
    count UInt64,
    sum Float64,
    min Float64,
    max Float64,
    bounds Array(Float64),
    bucket_counts Array(UInt64)
)
ENGINE = Null;

-- Every kind of point is brought to one shape and then flattened. A point without a recorded value (flag 1) is left out.
-- An exponential histogram of scale s has the bounds 2 ** (index / 2 ** s).
-- Points outside the time that the tables keep are counted in rejected_rows instead.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metrics_to_metric_rows TO metric_rows AS
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
    pairs -> mapFromArrays(arrayMap(p -> p.key, pairs), arrayMap(p -> any_text(p.value), pairs)) AS to_map,
    values -> if(empty(values), nan, values[1]) AS or_nan,
    code -> transform(code, [1, 2], ['delta', 'cumulative'], 'unspecified') AS temporality_name
SELECT
    sipHash64(metric, unit, type, monotonic, temporality, mapSort(resource_attributes), mapSort(attributes)) AS series_id,
    leftUTF8(name, 10000) AS metric,
    leftUTF8(unit, 10000) AS unit,
    kind.1 AS type,
    kind.2 AS monotonic,
    kind.3 AS temporality,
    leftUTF8(if(empty(resource_attributes['service.name']), 'unknown_service', resource_attributes['service.name']), 10000) AS service,
    resource_attributes['host.name'] AS host,
    point.1 AS attributes,
    resource_attributes,
    fromUnixTimestamp64Milli(toInt64(intDiv(point.2, 1000000)), 'UTC') AS ts,
    point.3 AS value,
    point.4 AS count,
    point.5 AS sum,
    point.6 AS min,
    point.7 AS max,
    point.8 AS bounds,
    point.9 AS bucket_counts
FROM
(
    SELECT resource_attributes, name, unit, group.1 AS kind, arrayJoin(group.2) AS point
    FROM
    (
        SELECT resource_attributes, m.name AS name, m.unit AS unit, arrayJoin([
            (('gauge', false, ''), arrayMap(p -> (to_map(p.attributes), p.time_unix_nano,
                if(p.value = 'as_int', toFloat64(p.as_int), p.as_double), 0::UInt64, 0::Float64, 0::Float64, 0::Float64,
                []::Array(Float64), []::Array(UInt64)),
                arrayFilter(p -> bitAnd(p.flags, 1) = 0 AND p.value != 'absent', m.gauge.data_points))),
            (('sum', m.sum.is_monotonic, temporality_name(m.sum.aggregation_temporality)),
                arrayMap(p -> (to_map(p.attributes), p.time_unix_nano,
                if(p.value = 'as_int', toFloat64(p.as_int), p.as_double), 0::UInt64, 0::Float64, 0::Float64, 0::Float64,
                []::Array(Float64), []::Array(UInt64)),
                arrayFilter(p -> bitAnd(p.flags, 1) = 0 AND p.value != 'absent', m.sum.data_points))),
            (('histogram', false, temporality_name(m.histogram.aggregation_temporality)),
                arrayMap(p -> (to_map(p.attributes), p.time_unix_nano,
                0::Float64, p.count, or_nan(p.sum), or_nan(p.min), or_nan(p.max), p.explicit_bounds, p.bucket_counts),
                arrayFilter(p -> bitAnd(p.flags, 1) = 0, m.histogram.data_points))),
            (('histogram', false, temporality_name(m.exponential_histogram.aggregation_temporality)),
                arrayMap(p -> (to_map(p.attributes), p.time_unix_nano,
                0::Float64, p.count, or_nan(p.sum), or_nan(p.min), or_nan(p.max),
                arrayMap(i -> exp2((toFloat64(p.positive.offset) + i) / exp2(p.scale)),
                    range(length(p.positive.bucket_counts) + 1)),
                arrayConcat([p.zero_count + arraySum(p.negative.bucket_counts)], p.positive.bucket_counts, [0::UInt64])),
                arrayFilter(p -> bitAnd(p.flags, 1) = 0, m.exponential_histogram.data_points))),
            (('summary', false, 'cumulative'), arrayMap(p -> (to_map(p.attributes), p.time_unix_nano,
                0::Float64, p.count, p.sum, nan, nan, []::Array(Float64), []::Array(UInt64)),
                arrayFilter(p -> bitAnd(p.flags, 1) = 0, m.summary.data_points)))
        ]) AS group
        FROM
        (
            SELECT resource_attributes, arrayJoin(arrayFlatten(arrayMap(s -> s.metrics, scope_metrics))) AS m
            FROM
            (
                SELECT to_map(resource_metric.resource.attributes) AS resource_attributes,
                    resource_metric.scope_metrics AS scope_metrics
                FROM (SELECT arrayJoin(resource_metrics) AS resource_metric FROM otlp_metrics)
            )
        )
    )
)
WHERE point.2 BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY);

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_rows_to_metric_series TO metric_series AS
SELECT series_id, any(metric_rows.metric) AS metric, any(metric_rows.unit) AS unit, any(metric_rows.type) AS type,
    any(metric_rows.monotonic) AS monotonic, any(metric_rows.temporality) AS temporality,
    any(metric_rows.service) AS service, any(metric_rows.host) AS host, any(metric_rows.attributes) AS attributes,
    any(metric_rows.resource_attributes) AS resource_attributes, max(ts) AS last_seen
FROM metric_rows
GROUP BY series_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_rows_to_metric_points TO metric_points AS
SELECT series_id, ts, value
FROM metric_rows
WHERE type IN ('gauge', 'sum');

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_rows_to_metric_histograms TO metric_histograms AS
SELECT series_id, ts, count, sum, min, max, bounds, bucket_counts
FROM metric_rows
WHERE type IN ('histogram', 'summary');

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metrics_to_rejected_rows TO rejected_rows AS
SELECT 'metrics' AS signal, 'time_out_of_range' AS reason, toStartOfHour(now('UTC')) AS bucket, count() AS rows
FROM
(
    SELECT arrayJoin(arrayFlatten(arrayMap(r -> arrayMap(s -> arrayMap(m -> arrayConcat(
        m.gauge.data_points.time_unix_nano, m.sum.data_points.time_unix_nano, m.histogram.data_points.time_unix_nano,
        m.exponential_histogram.data_points.time_unix_nano, m.summary.data_points.time_unix_nano),
        s.metrics), r.scope_metrics), resource_metrics))) AS time
    FROM otlp_metrics
)
WHERE time NOT BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY)
HAVING rows > 0;
