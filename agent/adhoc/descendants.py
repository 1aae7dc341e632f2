"""The processes below a process."""

from agent.procfs import ProcessStat, list_pids, read_stat
from agent.reader.engine import DEAD_STATES


def descendants(pid: int) -> list[ProcessStat]:
    """Return the living processes below one, the oldest number first."""
    stats = {other: stat for other in list_pids() if (stat := read_stat(other)) is not None}
    found = {pid}
    # A child may have a lower number than its parent where numbers have wrapped: repeat until nothing is new.
    while new := {child for child, stat in stats.items() if stat.parent_pid in found} - found:
        found |= new
    return [stats[child] for child in sorted(found - {pid}) if stats[child].state not in DEAD_STATES]
