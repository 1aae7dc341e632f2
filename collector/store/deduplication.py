"""
Mends the embedded engine's deduplication logs after a kill.

The engine writes a part's token into its table's log and renames the part to its final name right after. A kill
between the two leaves a token without its rows, and the repeated insert would be taken for a duplicate: rows that were
acknowledged would be missing. Inserts into a table are sequential, so only the last token of a table can be such a one.
It is removed before the engine starts.
"""

import re
from pathlib import Path
from typing import Final

# An operation (1: added), the part's name, and the token's id. Source: ClickHouse, MergeTreeDeduplicationLog.cpp.
_ADDED: Final = re.compile(rb"1\t([^\t\n]+)\t[^\t\n]+\n")
# A part's name: partition, first block, last block, level, and a mutation where there was one.
_PART_NAME: Final = re.compile(r"(.+?)_(\d+)_(\d+)_(\d+)(?:_\d+)?")


def mend_deduplication_logs(engine_dir: Path) -> list[str]:
    """
    Remove the tokens whose rows a kill prevented, and return the names of the parts that are missing.

    Args:
        engine_dir: The embedded engine's directory; the engine must not run on it.
    """
    missing = []
    for logs_dir in sorted(engine_dir.glob("store/*/*/deduplication_logs")):
        last = _last_log(logs_dir)
        if last is not None:
            missing += _mend(last, logs_dir.parent)
    return missing


def _last_log(logs_dir: Path) -> Path | None:
    logs = [path for path in logs_dir.glob("deduplication_log_*.txt") if path.stat().st_size > 0]
    return max(logs, key=lambda path: int(path.stem.rpartition("_")[2]), default=None)


def _mend(log: Path, table_dir: Path) -> list[str]:
    lines = log.read_bytes().splitlines(keepends=True)
    found = _ADDED.fullmatch(lines[-1])
    if found is None and lines[-1].endswith(b"\n"):
        return []  # another operation: nothing to mend
    part = found.group(1).decode() if found else "(a name that was cut off)"
    if found and _is_there(part, table_dir):
        return []
    with log.open("r+b") as file:
        file.truncate(sum(map(len, lines[:-1])))
    return [part]


def _is_there(part: str, table_dir: Path) -> bool:
    """Tell whether a part, or one that it was merged into, is in its table's directory."""
    wanted = _PART_NAME.fullmatch(part)
    if wanted is None:
        return True  # a name of another kind: nothing is known about it, so nothing is changed
    partition, first, last = wanted.group(1), int(wanted.group(2)), int(wanted.group(3))
    for entry in table_dir.iterdir():
        found = _PART_NAME.fullmatch(entry.name)
        if found and found.group(1) == partition and int(found.group(2)) <= first and last <= int(found.group(3)):
            return True
    return False
