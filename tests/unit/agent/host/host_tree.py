"""Made-up /proc and /sys trees."""

from collections.abc import Mapping
from pathlib import Path

from agent.procfs import TICKS_PER_S

KERNEL_THREAD = 0x00200000


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a root, with the folders they need."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


class HostTree:
    """A /proc of processes whose clocks a test sets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.set_busy(0.0)

    def set_busy(self, user_s: float, *, steal_s: float = 0.0) -> None:
        """Set the machine's clocks: user time, and things that are no work of its own."""
        user, other = int(user_s * TICKS_PER_S), int(steal_s * TICKS_PER_S)
        write_files(self.root, {"stat": f"cpu  {user} 0 0 {other} {other} 0 0 {other} {user} 0\ncpu0 0 0 0 0\n"})

    def set_process(self, pid: int, name: str, cpu_s: float, *, start_ticks: int = 1, flags: int = 0) -> None:
        """Write a process's stat file."""
        ticks = int(cpu_s * TICKS_PER_S)
        fields = ["S", "1", "1", "1", "0", "-1", str(flags), "0", "0", "0", "0", str(ticks), "0", "0", "0", "20", "0"]
        fields += ["1", "0", str(start_ticks), *(["0"] * 30)]
        write_files(self.root, {f"{pid}/stat": f"{pid} ({name}) {' '.join(fields)}\n"})

    def end_process(self, pid: int) -> None:
        """Take a process away."""
        (self.root / str(pid) / "stat").unlink()
        (self.root / str(pid)).rmdir()
