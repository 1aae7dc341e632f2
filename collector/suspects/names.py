"""The same function under the name of a repository and that of a process; and words that two texts have in common."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from pyrometer.api_events import TouchedFunction

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d{3,}")
_WORD_CHARS_MIN: Final = 3
# Said of everything, so that they tell nothing; verbs of requests too.
_COMMON: Final = frozenset(
    {
        *(
            "add",
            "added",
            "change",
            "changes",
            "deploy",
            "fix",
            "make",
            "new",
            "release",
            "remove",
            "update",
            "use",
            "used",
        ),
        *("and", "are", "for", "from", "has", "into", "not", "now", "than", "that", "the", "this", "too", "with"),
        *("call", "file", "function", "get", "main", "post", "put", "run", "self", "set"),
    }
)


class FunctionIndex:
    """
    Finds functions of processes by what a repository calls them.

    The name must be the same; a process whose reader knows no qualified names has the last part of it. The file's own
    name must be the same too, and where it fits several, those fit whose folders have the most in common.
    """

    def __init__(self, functions: Sequence[tuple[str, str]]) -> None:
        self._functions = functions
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for number, (name, _) in enumerate(functions):
            self._by_name[name].append(number)

    def named(self, name: str, file: str | None) -> frozenset[int]:
        """Return the functions of a name as the process has it, in one file or in all."""
        return frozenset(
            number for number in self._by_name.get(name, ()) if file is None or self._functions[number][1] == file
        )

    def find(self, touched: TouchedFunction) -> frozenset[int]:
        """Return the functions that a touched one is, empty where it never ran."""
        for name in (touched.function, touched.function.rpartition(".")[2]):
            fits = {
                number: common
                for number in self._by_name.get(name, ())
                if (common := _common_parts(self._functions[number][1], touched.file))
            }
            if fits:
                most = max(fits.values())
                return frozenset(number for number, common in fits.items() if common == most)
        return frozenset()


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of texts and identifiers: lower case, without plurals, and without those that tell nothing."""
    found = (match.lower() for text in texts for match in _WORDS.findall(text))
    return frozenset(word.removesuffix("s") for word in found if len(word) >= _WORD_CHARS_MIN and word not in _COMMON)


def _common_parts(path: str, other: str) -> int:
    """Return how many parts two paths have in common at their ends; 1 where one has no path: any may be it."""
    if not path or not other:
        return 1
    common = 0
    for mine, its in zip(reversed(path.split("/")), reversed(other.split("/")), strict=False):
        if mine != its:
            break
        common += 1
    return common
