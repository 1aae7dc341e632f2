"""Hits and false alarms of a detector on histories whose changes are known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MARGIN: Final = 5


@dataclass(slots=True)
class Score:
    """Counts over many histories."""

    hits: int = 0
    missed: int = 0
    false: int = 0
    quiet: int = 0
    quiet_alarmed: int = 0

    @property
    def precision(self) -> float:
        """Return the share of the findings that are hits; 1 when nothing was found."""
        found = self.hits + self.false
        return self.hits / found if found else 1.0

    @property
    def recall(self) -> float:
        """Return the share of the changes that were found; 1 when there were none."""
        wanted = self.hits + self.missed
        return self.hits / wanted if wanted else 1.0

    @property
    def f1(self) -> float:
        """Return the harmonic mean of both."""
        return 2 * self.hits / max(2 * self.hits + self.false + self.missed, 1)

    @property
    def quiet_share(self) -> float:
        """Return the share of the series without any change that got a finding."""
        return self.quiet_alarmed / self.quiet if self.quiet else 0.0

    def add(self, found: Iterable[int], clear: Sequence[int], unclear: Sequence[int] = ()) -> None:
        """
        Count one history.

        A finding hits the nearest change that is not hit yet, when it is at most MARGIN points away. Findings near an
        unclear change count neither way.
        """
        open_changes = list(clear)
        false = 0
        for index in sorted(found):
            near = [change for change in open_changes if abs(change - index) <= MARGIN]
            if near:
                open_changes.remove(min(near, key=lambda change: abs(change - index)))
                self.hits += 1
            elif not any(abs(change - index) <= MARGIN for change in unclear):
                false += 1
        self.missed += len(open_changes)
        self.false += false
        if not clear and not unclear:
            self.quiet += 1
            self.quiet_alarmed += false > 0
