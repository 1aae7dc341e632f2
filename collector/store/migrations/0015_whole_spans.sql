-- Of a span, also what the first tables left out: the scope's attributes, schema URLs, dropped counts of resource, scope,
-- events and links, flags of links. Values nested deeper than one level are stored as {"protobuf":"(base64)"}.
-- Nothing is dropped, and what receives changes before what sends: an insert of another collector meanwhile is stored by
-- the old view or the new one, or fails and is repeated.
ALTER TABLE span_details
    ADD COLUMN IF NOT EXISTS scope_attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS resource_schema_url LowCardinality(String),
    ADD COLUMN IF NOT EXISTS scope_schema_url LowCardinality(String),
    ADD COLUMN IF NOT EXISTS dropped_resource_attributes UInt32,
    ADD COLUMN IF NOT EXISTS dropped_scope_attributes UInt32,
    ADD COLUMN IF NOT EXISTS dropped_event_attributes Array(UInt32) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS dropped_link_attributes Array(UInt32) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS link_flags Array(UInt32) CODEC(ZSTD(1));

ALTER TABLE span_rows
    ADD COLUMN IF NOT EXISTS scope_attributes Map(String, String),
    ADD COLUMN IF NOT EXISTS resource_schema_url String,
    ADD COLUMN IF NOT EXISTS scope_schema_url String,
    ADD COLUMN IF NOT EXISTS dropped_resource_attributes UInt32,
    ADD COLUMN IF NOT EXISTS dropped_scope_attributes UInt32,
    ADD COLUMN IF NOT EXISTS dropped_event_attributes Array(UInt32),
    ADD COLUMN IF NOT EXISTS dropped_link_attributes Array(UInt32),
    ADD COLUMN IF NOT EXISTS link_flags Array(UInt32);

ALTER TABLE span_rows_to_span_details MODIFY QUERY
SELECT trace_id, span_id, ts, trace_state, flags, status_message, attributes, resource_attributes,
    scope_name, scope_version, scope_attributes, resource_schema_url, scope_schema_url, events, links, link_flags,
    dropped_attributes, dropped_events, dropped_links, dropped_resource_attributes, dropped_scope_attributes,
    dropped_event_attributes, dropped_link_attributes
FROM span_rows;

ALTER TABLE otlp_traces
    MODIFY COLUMN resource_spans Array(Tuple(
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
        scope_spans Array(Tuple(
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
            spans Array(Tuple(
                trace_id String, span_id String, trace_state String, parent_span_id String, flags UInt32,
                name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64,
                attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value String, kvlist_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value String, kvlist_value String,
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                    value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                dropped_attributes_count UInt32,
                events Array(Tuple(time_unix_nano UInt64, name String, dropped_attributes_count UInt32,
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))))),
                dropped_events_count UInt32,
                links Array(Tuple(trace_id String, span_id String, trace_state String, flags UInt32, dropped_attributes_count UInt32,
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                            array_value String, kvlist_value String,
                            value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                        value Enum8('absent' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))))),
                dropped_links_count UInt32,
                status Tuple(message String, code Int32)))))));

-- As in 0013, in one SELECT: the engine analyses a view anew for every insert, and what costs time there is each use of
-- to_map and each subquery that the wide tuples pass through. So lists of attributes are turned into maps together.
ALTER TABLE otlp_traces_to_span_rows MODIFY QUERY
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
    arrayJoin(resource_spans) AS resource_span,
    arrayJoin(resource_span.scope_spans) AS scope_span,
    arrayJoin(scope_span.spans) AS span,
    arrayMap(list -> to_map(list), [resource_span.resource.attributes, scope_span.scope.attributes]) AS shared_maps,
    arrayMap(list -> to_map(list), arrayConcat([span.attributes], span.events.attributes, span.links.attributes)) AS maps
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
    maps[1] AS attributes,
    shared_maps[1] AS resource_attributes,
    scope_span.scope.name AS scope_name,
    scope_span.scope.version AS scope_version,
    shared_maps[2] AS scope_attributes,
    resource_span.schema_url AS resource_schema_url,
    scope_span.schema_url AS scope_schema_url,
    arrayMap((e, map) -> (fromUnixTimestamp64Nano(toInt64(e.time_unix_nano), 'UTC'), e.name, map),
        span.events, arraySlice(maps, 2, length(span.events))) AS events,
    arrayMap((l, map) -> (lower(hex(l.trace_id)), lower(hex(l.span_id)), l.trace_state, map),
        span.links, arraySlice(maps, 2 + length(span.events))) AS links,
    span.links.flags AS link_flags,
    span.dropped_attributes_count AS dropped_attributes,
    span.dropped_events_count AS dropped_events,
    span.dropped_links_count AS dropped_links,
    resource_span.resource.dropped_attributes_count AS dropped_resource_attributes,
    scope_span.scope.dropped_attributes_count AS dropped_scope_attributes,
    span.events.dropped_attributes_count AS dropped_event_attributes,
    span.links.dropped_attributes_count AS dropped_link_attributes
FROM otlp_traces
WHERE span.start_time_unix_nano BETWEEN toUnixTimestamp64Nano(now64(9) - INTERVAL 14 DAY)
    AND toUnixTimestamp64Nano(now64(9) + INTERVAL 1 DAY);
