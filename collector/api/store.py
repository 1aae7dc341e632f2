"""``/store``: what the database holds, by table and by service."""

from typing import Any

from collector.api.context import Context
from collector.api.parameters import StoreQuery
from pyrometer.api_store import StoreAnswer, StoreService, StoreTable


def store(context: Context, query: StoreQuery) -> StoreAnswer:
    """Answer ``/store``."""
    tables = [_table(row) for row in context.rows("store_tables")]
    each = {table.table: table.bytes_per_row for table in tables}
    rows_max = min(query.limit, context.limits.rows_max)
    rows = context.rows("store_services", rows_max=rows_max)
    services = [
        StoreService(
            service=row["service"],
            table=row["name"],
            rows=row["rows"],
            stored_bytes=round(row["rows"] * each.get(row["name"], 0.0)),
        )
        for row in rows
    ]
    services.sort(key=lambda service: (-service.stored_bytes, service.service, service.table))
    return StoreAnswer(stored_bytes=sum(table.stored_bytes for table in tables), tables=tables, services=services)


def _table(row: dict[str, Any]) -> StoreTable:
    return StoreTable(
        table=row["name"],
        rows=row["rows"],
        stored_bytes=row["stored_bytes"],
        bytes_per_row=row["stored_bytes"] / row["rows"],
        raw_bytes=row["raw_bytes"],
        parts=row["parts"],
    )
