"""The embedded engine with our tables, and what it says about its files."""

import time
from dataclasses import dataclass
from typing import Any

from collector.store.embedded import EmbeddedStore


@dataclass(frozen=True, slots=True)
class Size:
    """Rows and bytes on the disk of one table."""

    rows: int
    stored_bytes: int


class Engine:
    """Runs statements, and says how large tables are."""

    def __init__(self, store: EmbeddedStore) -> None:
        self.store = store

    def run(self, statement: str) -> float:
        """Run one statement; return the seconds it took."""
        started = time.monotonic()
        self.store.execute(statement)
        return time.monotonic() - started

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a SELECT."""
        return self.store.select(statement)

    def merge(self, *tables: str) -> None:
        """Merge tables to the end, as they are after a quiet night."""
        for table in tables:
            self.run(f"OPTIMIZE TABLE {table} FINAL")

    def sizes(self) -> dict[str, Size]:
        """Return the size of each table that has rows, by DATABASE.TABLE."""
        rows = self.rows(
            "SELECT concat(database, '.', table) AS name, sum(rows) AS n, sum(bytes_on_disk) AS b "
            "FROM system.parts WHERE active GROUP BY name"
        )
        return {row["name"]: Size(int(row["n"]), int(row["b"])) for row in rows}
