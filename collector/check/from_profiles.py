"""The report of profile files: repeated runs of the same work, before and after."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from collector.check.report import Item, Report
from collector.detect.runs import Runs, compare_runs
from collector.detect.settings import CompareSettings
from pyrometer.api import Verdict
from pyrometer.errors import ConfigError, DecodeError
from pyrometer.formats import decode_profile, format_of_path
from pyrometer.formats.limits import DEFAULT_LIMITS
from pyrometer.text import printable
from pyrometer.tree import function_totals
from pyrometer.units import NS_PER_MS
from pyrometer.values import Profile

# Two runs have a variance that is hardly known; three are the fewest that can say anything.
RUNS_MIN: Final = 3
FILES_MAX: Final = 200
_SETTINGS: Final = CompareSettings(buckets_min=RUNS_MIN)
_WORST_FIRST: Final[tuple[Verdict, ...]] = ("regression", "improvement", "not_enough_data", "no_change")
# Recordings of a service whose lengths differ by more than this are hardly runs of the same work.
_LENGTHS_DIFFER: Final = 1.5
_SUFFIXES: Final = ".pb.gz, .pprof, .pb, .collapsed, .folded, .txt, .speedscope.json or .otlp"

Function = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Measure:
    """What the profiles measure, for a reader; *scale* is how much of the profile's unit is one of *unit*."""

    noun: str
    unit: str
    scale: float


def check_profiles(baseline: Sequence[Path], candidate: Sequence[Path]) -> Report:
    """
    Read profile files, each one run of the same work, and report what changed.

    Args:
        baseline: Runs to compare with.
        candidate: Runs that are judged.

    Raises:
        ConfigError: If a file is not there or not a profile, or the files do not measure the same.
    """
    if len(baseline) + len(candidate) > FILES_MAX:
        raise ConfigError(f"{len(baseline) + len(candidate)} profiles, more than {FILES_MAX}")
    sides = ([_read(path) for path in baseline], [_read(path) for path in candidate])
    measure = _measure_of([*zip(baseline, sides[0], strict=True), *zip(candidate, sides[1], strict=True)])
    functions = sorted({name for side in sides for profile in side for name in function_totals(profile.values())})
    whole, changes = compare_runs(
        _runs(sides[0], functions, measure.scale), _runs(sides[1], functions, measure.scale), settings=_SETTINGS
    )
    items = [
        Item(subject=name, file=file, kind="function", quantity=f"own {measure.noun} per run", unit=measure.unit,
             change=change)
        for (name, file), change in zip(functions, changes, strict=True)
    ]  # fmt: skip
    items.sort(key=lambda item: (_WORST_FIRST.index(item.verdict), -abs(item.change.absolute)))
    title = f"{measure.noun} per run"
    items.append(Item(subject="(the whole run)", kind="service", quantity=title, unit=measure.unit, change=whole))
    return Report(
        service="",
        baseline=_label(baseline),
        candidate=_label(candidate),
        method=f"{len(baseline)} runs against {len(candidate)}, {measure.noun} per run, Welch's t test",
        currency="",
        confidence=_SETTINGS.confidence,
        bucket_s=0,
        items=tuple(items),
        notes=tuple(_notes([*sides[0], *sides[1]])),
    )


def _read(path: Path) -> Profile:
    form = format_of_path(path)
    if form is None:
        raise ConfigError(f"{_shown(path)}: its suffix is not that of a profile: {_SUFFIXES}")
    try:
        with path.open("rb") as file:
            body = file.read(DEFAULT_LIMITS.bytes_max + 1)
        return decode_profile(body, form)
    except OSError as error:
        raise ConfigError(
            f"{_shown(path)}: cannot be read: {error.strerror}; to compare releases that a collector knows, give"
            " --service"
        ) from None
    except DecodeError as error:
        raise ConfigError(f"{_shown(path)}: {error}") from None


def _measure_of(files: Sequence[tuple[Path, Profile]]) -> _Measure:
    """Return what all files measure."""
    (first_path, first), *others = files
    kind = (first.sample_type, first.unit)
    for path, profile in others:
        if (profile.sample_type, profile.unit) != kind:
            raise ConfigError(
                f"{_shown(first_path)} measures {_kind(first)}, and {_shown(path)} {_kind(profile)}: give files of one"
                " kind"
            )
    if first.unit == "nanoseconds":
        noun = {"cpu": "CPU", "wall": "wall time"}.get(first.sample_type, _letters(first.sample_type))
        return _Measure(noun, "ms", float(NS_PER_MS))
    if first.unit == "count":
        return _Measure("samples", "samples", 1.0)
    return _Measure(_letters(first.sample_type), _letters(first.unit), 1.0)


def _runs(profiles: Sequence[Profile], functions: Sequence[Function], scale: float) -> Runs:
    place = {function: row for row, function in enumerate(functions)}
    own, samples = np.zeros((len(functions), len(profiles))), np.zeros(len(functions))
    for run, profile in enumerate(profiles):
        for stack, value in profile.values().items():
            if stack:
                own[place[stack[-1].function, stack[-1].file], run] += value / scale
        for stack, count in profile.counts().items():
            if stack:
                samples[place[stack[-1].function, stack[-1].file]] += count
    return Runs(whole=own.sum(axis=0), own=own, own_samples=samples)


def _notes(profiles: Iterable[Profile]) -> list[str]:
    lengths = [profile.duration_ns for profile in profiles if profile.duration_ns]
    if not lengths or max(lengths) <= _LENGTHS_DIFFER * min(lengths):
        return []
    shortest, longest = (value / 1e9 for value in (min(lengths), max(lengths)))
    return [f"The recordings are {shortest:.3g} to {longest:.3g} s long, and each counts as one run of the same work."]


def _label(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0].name}{more}"


def _kind(profile: Profile) -> str:
    return f"{printable(profile.sample_type, 40)} in {printable(profile.unit, 40)}"


def _letters(text: str) -> str:
    """Return a word that a file made up as one that steers nothing."""
    return re.sub("[^a-z]+", " ", text.lower()).strip()[:20] or "units"


def _shown(path: Path) -> str:
    return printable(str(path))
