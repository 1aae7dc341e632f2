"""Frames as they are wanted: with or without lines, whole paths or short ones, under a frame for their thread."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from agent.adhoc.plan import Plan
from pyrometer.values import Frame, FrameType, Sample, Stack

# Different frames remembered of one process.
_FRAMES_MAX: Final = 100_000
_PACKAGE: Final = "__init__.py"


class FrameShaper:
    """Shapes the stacks of one process; what a file lies in is looked up where the process sees it."""

    def __init__(self, plan: Plan, pid: int) -> None:
        """
        Know nothing yet.

        Args:
            plan: What is wanted.
            pid: The process, whose root folder its paths are in.
        """
        self._plan = plan
        self._root = PurePosixPath(f"/proc/{pid}/root")
        self._shaped: dict[Frame, Frame] = {}
        self._short: dict[str, str] = {}

    def shape(self, samples: Iterable[Sample]) -> tuple[Sample, ...]:
        """Return samples with their stacks as wanted."""
        return tuple(replace(sample, stack=self._stack(sample)) for sample in samples)

    def _stack(self, sample: Sample) -> Stack:
        stack = tuple(self._frame(frame) for frame in sample.stack)
        return (_thread_frame(sample), *stack) if self._plan.threads else stack

    def _frame(self, frame: Frame) -> Frame:
        if not frame.file or (self._plan.line_numbers and self._plan.full_filenames):
            return frame
        shaped = self._shaped.get(frame)
        if shaped is None:
            if len(self._shaped) >= _FRAMES_MAX:
                self._shaped.clear()
            file = frame.file if self._plan.full_filenames else self._shorten(frame.file)
            line = frame.line if self._plan.line_numbers else 0
            shaped = self._shaped[frame] = replace(frame, file=file, line=line)
        return shaped

    def _shorten(self, file: str) -> str:
        """Return the part of a path from its outermost package on, as py-spy shows it."""
        short = self._short.get(file)
        if short is None:
            folder = PurePosixPath(file).parent
            while folder != folder.parent and _is_package(self._root, folder):
                folder = folder.parent
            short = self._short[file] = str(PurePosixPath(file).relative_to(folder))
        return short


def _is_package(root: PurePosixPath, folder: PurePosixPath) -> bool:
    # A name of a hostile process: only whether there is something is asked, and an impossible name is none.
    try:
        return Path(f"{root}/{folder}/{_PACKAGE}").exists()
    except (OSError, ValueError):
        return False


def _thread_frame(sample: Sample) -> Frame:
    name = f": {sample.thread_name}" if sample.thread_name else ""
    return Frame(f"thread ({sample.thread_id}){name}", frame_type=FrameType.MARKER)
