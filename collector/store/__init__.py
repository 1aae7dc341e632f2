"""The store: one Protocol, an embedded ClickHouse and a ClickHouse server behind it."""
