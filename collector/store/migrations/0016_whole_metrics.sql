-- Of a metric, also what the first tables left out: scope, description, schema URLs, start times, quantiles of summaries, and
-- the negative buckets of exponential histograms, whose bounds come first: -(2 ** (index / 2 ** scale)).
-- The scope is part of what a series is. Values nested deeper than one level, and the order of statements: as in 0015.
ALTER TABLE metric_series
    ADD COLUMN IF NOT EXISTS description String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS scope_name LowCardinality(String),
    ADD COLUMN IF NOT EXISTS scope_version LowCardinality(String),
    ADD COLUMN IF NOT EXISTS scope_attributes Map(LowCardinality(String), String),
    ADD COLUMN IF NOT EXISTS resource_schema_url LowCardinality(String),
    ADD COLUMN IF NOT EXISTS scope_schema_url LowCardinality(String);

ALTER TABLE metric_points
    ADD COLUMN IF NOT EXISTS start_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1));

ALTER TABLE metric_histograms
    ADD COLUMN IF NOT EXISTS start_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS zero_threshold Float64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS quantiles Array(Float64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS quantile_values Array(Float64) CODEC(ZSTD(1));

ALTER TABLE metric_rows
    ADD COLUMN IF NOT EXISTS description String,
    ADD COLUMN IF NOT EXISTS scope_name String,
    ADD COLUMN IF NOT EXISTS scope_version String,
    ADD COLUMN IF NOT EXISTS scope_attributes Map(String, String),
    ADD COLUMN IF NOT EXISTS resource_schema_url String,
    ADD COLUMN IF NOT EXISTS scope_schema_url String,
    ADD COLUMN IF NOT EXISTS start_ts DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS zero_threshold Float64,
    ADD COLUMN IF NOT EXISTS quantiles Array(Float64),
    ADD COLUMN IF NOT EXISTS quantile_values Array(Float64);

ALTER TABLE metric_rows_to_metric_series MODIFY QUERY
SELECT series_id, any(metric_rows.metric) AS metric, any(metric_rows.description) AS description,
    any(metric_rows.unit) AS unit, any(metric_rows.type) AS type, any(metric_rows.monotonic) AS monotonic,
    any(metric_rows.temporality) AS temporality, any(metric_rows.service) AS service, any(metric_rows.host) AS host,
    any(metric_rows.attributes) AS attributes, any(metric_rows.resource_attributes) AS resource_attributes,
    any(metric_rows.scope_name) AS scope_name, any(metric_rows.scope_version) AS scope_version,
    any(metric_rows.scope_attributes) AS scope_attributes,
    any(metric_rows.resource_schema_url) AS resource_schema_url,
    any(metric_rows.scope_schema_url) AS scope_schema_url, max(ts) AS last_seen
FROM metric_rows
GROUP BY series_id;

ALTER TABLE metric_rows_to_metric_points MODIFY QUERY
SELECT series_id, start_ts, ts, value
FROM metric_rows
WHERE type IN ('gauge', 'sum');

ALTER TABLE metric_rows_to_metric_histograms MODIFY QUERY
SELECT series_id, start_ts, ts, count, sum, min, max, bounds, bucket_counts, zero_threshold, quantiles, quantile_values
FROM metric_rows
WHERE type IN ('histogram', 'summary');

ALTER TABLE otlp_metrics
    MODIFY COLUMN resource_metrics Array(Tuple(
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
        scope_metrics Array(Tuple(
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
            metrics Array(Tuple(
                name String, description String, unit String,
                gauge Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Float64, as_int Int64,
                    value Enum8('absent' = 0, 'as_double' = 4, 'as_int' = 6), flags UInt32))),
                sum Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Float64, as_int Int64,
                    value Enum8('absent' = 0, 'as_double' = 4, 'as_int' = 6), flags UInt32)),
                    aggregation_temporality Int32, is_monotonic Bool),
                histogram Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64,
                    sum Array(Float64), min Array(Float64), max Array(Float64),
                    bucket_counts Array(UInt64), explicit_bounds Array(Float64), flags UInt32)),
                    aggregation_temporality Int32),
                exponential_histogram Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64,
                    sum Array(Float64), min Array(Float64), max Array(Float64),
                    scale Int32, zero_count UInt64, positive Tuple(offset Int32, bucket_counts Array(UInt64)),
                    negative Tuple(offset Int32, bucket_counts Array(UInt64)), flags UInt32, zero_threshold Float64)),
                    aggregation_temporality Int32),
                summary Tuple(data_points Array(Tuple(
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64,
                    quantile_values Array(Tuple(quantile Float64, value Float64)), flags UInt32)))))))));

-- Every kind of point is brought to one shape, numbers or distribution, and then flattened; in one SELECT, as in 0015.
-- A point without a recorded value (flag 1) is left out.
-- Points outside the time that the tables keep are counted in rejected_rows instead.
ALTER TABLE otlp_metrics_to_metric_rows MODIFY QUERY
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
    pairs -> mapFromArrays(arrayMap(p -> p.key, pairs), arrayMap(p -> any_text(p.value), pairs)) AS to_map,
    values -> if(empty(values), nan, values[1]) AS or_nan,
    code -> transform(code, [1, 2], ['delta', 'cumulative'], 'unspecified') AS temporality_name,
    p -> (p.attributes, p.start_time_unix_nano, p.time_unix_nano,
        if(p.value = 'as_int', toFloat64(p.as_int), p.as_double), 0::UInt64, 0::Float64, 0::Float64, 0::Float64,
        []::Array(Float64), []::Array(UInt64), 0::Float64, []::Array(Float64), []::Array(Float64)) AS number,
    (p, total, low, high, bounds, counts, zero, ranks, ranked) -> (p.attributes, p.start_time_unix_nano, p.time_unix_nano,
        0::Float64, p.count, total, low, high, bounds, counts, zero, ranks, ranked) AS distribution,
    (buckets, scale) -> arrayMap(i -> exp2((toFloat64(buckets.offset) + i) / exp2(scale)),
        range(length(buckets.bucket_counts) + 1)) AS powers,
    arrayJoin(resource_metrics) AS resource_metric,
    arrayJoin(resource_metric.scope_metrics) AS scope_metric,
    arrayJoin(scope_metric.metrics) AS m,
    arrayJoin([
        (('gauge', false, ''),
            arrayMap(p -> number(p), arrayFilter(p -> p.value != 'absent' AND bitAnd(p.flags, 1) = 0, m.gauge.data_points))),
        (('sum', m.sum.is_monotonic, temporality_name(m.sum.aggregation_temporality)),
            arrayMap(p -> number(p), arrayFilter(p -> p.value != 'absent' AND bitAnd(p.flags, 1) = 0, m.sum.data_points))),
        (('histogram', false, temporality_name(m.histogram.aggregation_temporality)),
            arrayMap(p -> distribution(p, or_nan(p.sum), or_nan(p.min), or_nan(p.max), p.explicit_bounds, p.bucket_counts,
                0::Float64, []::Array(Float64), []::Array(Float64)),
            arrayFilter(p -> bitAnd(p.flags, 1) = 0, m.histogram.data_points))),
        (('histogram', false, temporality_name(m.exponential_histogram.aggregation_temporality)),
            arrayMap(p -> distribution(p, or_nan(p.sum), or_nan(p.min), or_nan(p.max),
                arrayConcat(
                    if(empty(p.negative.bucket_counts), [], arrayReverse(arrayMap(x -> -x, powers(p.negative, p.scale)))),
                    powers(p.positive, p.scale)),
                arrayConcat(
                    if(empty(p.negative.bucket_counts), [], arrayConcat([0::UInt64], arrayReverse(p.negative.bucket_counts))),
                    [p.zero_count], p.positive.bucket_counts, [0::UInt64]),
                p.zero_threshold, []::Array(Float64), []::Array(Float64)),
            arrayFilter(p -> bitAnd(p.flags, 1) = 0, m.exponential_histogram.data_points))),
        (('summary', false, 'cumulative'),
            arrayMap(p -> distribution(p, p.sum, nan, nan, []::Array(Float64), []::Array(UInt64), 0::Float64,
                p.quantile_values.quantile, p.quantile_values.value),
            arrayFilter(p -> bitAnd(p.flags, 1) = 0, m.summary.data_points)))
    ]) AS group,
    arrayJoin(group.2) AS point,
    arrayMap(list -> to_map(list), [resource_metric.resource.attributes, scope_metric.scope.attributes]) AS shared_maps
SELECT
    sipHash64(metric, unit, type, monotonic, temporality, scope_name, scope_version,
        mapSort(resource_attributes), mapSort(attributes)) AS series_id,
    leftUTF8(m.name, 10000) AS metric,
    leftUTF8(m.description, 10000) AS description,
    leftUTF8(m.unit, 10000) AS unit,
    group.1.1 AS type,
    group.1.2 AS monotonic,
    group.1.3 AS temporality,
    leftUTF8(if(empty(resource_attributes['service.name']), 'unknown_service', resource_attributes['service.name']), 10000) AS service,
    resource_attributes['host.name'] AS host,
    to_map(point.1) AS attributes,
    shared_maps[1] AS resource_attributes,
    scope_metric.scope.name AS scope_name,
    scope_metric.scope.version AS scope_version,
    shared_maps[2] AS scope_attributes,
    resource_metric.schema_url AS resource_schema_url,
    scope_metric.schema_url AS scope_schema_url,
    fromUnixTimestamp64Milli(toInt64(intDiv(point.2, 1000000)), 'UTC') AS start_ts,
    fromUnixTimestamp64Milli(toInt64(intDiv(point.3, 1000000)), 'UTC') AS ts,
    point.4 AS value,
    point.5 AS count,
    point.6 AS sum,
    point.7 AS min,
    point.8 AS max,
    point.9 AS bounds,
    point.10 AS bucket_counts,
    point.11 AS zero_threshold,
    point.12 AS quantiles,
    point.13 AS quantile_values
FROM otlp_metrics
WHERE point.3 BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY);
