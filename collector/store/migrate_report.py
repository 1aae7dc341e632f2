"""What ``pyrometer collector migrate`` does, line by line."""

from collections.abc import Iterator

from collector.store.migrate import migrate, pending_migrations, shipped_migrations
from collector.store.protocol import Store
from collector.store.retention import RetentionSettings, apply_retention, retention_changes


def status(store: Store, retention: RetentionSettings) -> Iterator[str]:
    """Say of each migration whether it is applied, and which tables are kept otherwise than the settings say."""
    pending = {migration.name for migration in pending_migrations(store)}
    for migration in shipped_migrations():
        yield f"{'pending' if migration.name in pending else 'applied'}  {migration.name}"
    for change in retention_changes(store, retention):
        yield f"pending  {change}"


def dry_run(store: Store, retention: RetentionSettings) -> Iterator[str]:
    """Say what would be done; a table that a pending migration makes gets its days as soon as it is there."""
    names = [migration.name for migration in pending_migrations(store)]
    yield from _lines("would apply", names, [str(change) for change in retention_changes(store, retention)])


def run(store: Store, retention: RetentionSettings) -> Iterator[str]:
    """Do it, and say what was done."""
    names = migrate(store)
    yield from _lines("applied", names, [str(change) for change in apply_retention(store, retention)])


def _lines(verb: str, names: list[str], changes: list[str]) -> Iterator[str]:
    yield from (f"{verb}  {text}" for text in (*names, *changes))
    if not names and not changes:
        yield "nothing to apply"
