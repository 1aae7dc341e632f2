"""The store's own size in the query API."""

import msgspec


class StoreTable(msgspec.Struct, kw_only=True, frozen=True):
    """One table: its rows, and what they take on the disk, compressed and whole."""

    table: str
    rows: int
    stored_bytes: int
    bytes_per_row: float
    raw_bytes: int
    parts: int


class StoreService(msgspec.Struct, kw_only=True, frozen=True):
    """One service's rows of one large table, and what they take if each takes as much as the table's others."""

    service: str
    table: str
    rows: int
    stored_bytes: int


class StoreAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """Answer of ``/store``: of the tenant that asks."""

    stored_bytes: int
    tables: list[StoreTable]
    services: list[StoreService]
