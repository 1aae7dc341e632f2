-- Integers beyond 2^53, exactly: value is the nearest Float64, and value + value_rest is what was sent. At 2^63 two of
-- them are 1024 apart, so that the rest fits 16 bits; it is 0 for nearly all.
ALTER TABLE metric_points ADD COLUMN IF NOT EXISTS value_rest Int16 CODEC(T64, ZSTD(1));

ALTER TABLE metric_rows ADD COLUMN IF NOT EXISTS value_rest Int16;

ALTER TABLE metric_rows_to_metric_points MODIFY QUERY
SELECT series_id, start_ts, ts, value, value_rest
FROM metric_rows
WHERE type IN ('gauge', 'sum');

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
        []::Array(Float64), []::Array(UInt64), 0::Float64, []::Array(Float64), []::Array(Float64),
        if(p.value = 'as_int', toInt16(toInt128(p.as_int) - toInt128(toFloat64(p.as_int))), 0::Int16)) AS number,
    (p, total, low, high, bounds, counts, zero, ranks, ranked) -> (p.attributes, p.start_time_unix_nano, p.time_unix_nano,
        0::Float64, p.count, total, low, high, bounds, counts, zero, ranks, ranked, 0::Int16) AS distribution,
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
    point.14 AS value_rest,
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
