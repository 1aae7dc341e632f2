"""``pyrometer check`` on profile files: repeated runs of the same work."""

import gzip
import re

import numpy as np
import pytest
from click.testing import CliRunner

from collector.check.command import command
from collector.check.from_profiles import check_profiles
from pyrometer.errors import ConfigError
from pyrometer.formats import Format, encode_profile
from pyrometer.values import Frame, Profile, Sample

STEPS = {f"step_{number}": 200.0 + 20 * number for number in range(20)}
MS = 1_000_000
SUFFIXES = {Format.PPROF: ".pb.gz", Format.COLLAPSED: ".collapsed", Format.SPEEDSCOPE: ".speedscope.json"}


def a_run(rng, factors=None, *, noise=0.02, duration_ns=0) -> Profile:
    # Each function varies from run to run, and is sampled at 100 Hz.
    samples = []
    for name, mean in STEPS.items():
        expected = mean * (factors or {}).get(name, 1.0) * np.exp(noise * rng.standard_normal())
        count = int(rng.poisson(expected))
        stack = (Frame("main", "/srv/job.py", 1), Frame(name, "/srv/job.py", 9))
        samples.append(Sample(stack=stack, count=count, value=count * 10 * MS))
    return Profile(samples=tuple(samples), duration_ns=duration_ns)


def write_runs(folder, side, profiles, form=Format.PPROF):
    paths = []
    for number, profile in enumerate(profiles):
        path = folder / f"{side}{number}{SUFFIXES[form]}"
        path.write_bytes(encode_profile(profile, form, side))
        paths.append(path)
    return paths


def flags(baseline, candidate):
    return [
        *(part for path in baseline for part in ("--baseline", str(path))),
        *(part for path in candidate for part in ("--candidate", str(path))),
    ]


@pytest.mark.parametrize("form", list(SUFFIXES))
def test_a_slower_function_is_named_in_every_format(tmp_path, form):
    """Four runs a side, one function half as dear again: exit 5, that one and the whole, and no other."""
    rng = np.random.default_rng(3)
    before = write_runs(tmp_path, "a", [a_run(rng) for _ in range(4)], form)
    after = write_runs(tmp_path, "b", [a_run(rng, {"step_7": 1.5}) for _ in range(4)], form)

    done = CliRunner().invoke(command, flags(before, after))

    assert done.exit_code == 5
    assert done.output.startswith(f"{after[0].name} and 3 more against {before[0].name} and 3 more: REGRESSION\n")
    assert re.findall("^regression  (.*)$", done.output, re.MULTILINE)[0] == "step_7 (/srv/job.py)"
    found = {item.subject for item in check_profiles(before, after).items if item.verdict != "no_change"}
    assert found <= {"step_7", "main", "(the whole run)"}


def test_one_run_a_side_is_not_enough(tmp_path):
    """How much runs of the same code differ is not known from one: no verdict, but what is missing."""
    rng = np.random.default_rng(4)
    before = write_runs(tmp_path, "a", [a_run(rng)])
    after = write_runs(tmp_path, "b", [a_run(rng, {"step_7": 5.0})])

    done = CliRunner().invoke(command, flags(before, after))

    assert done.exit_code == 0
    assert done.output.startswith("b0.pb.gz against a0.pb.gz: NOT ENOUGH DATA\n")
    assert "step_7 (/srv/job.py), own CPU per run: needs 2 more profiles a side" in done.output


def test_equal_runs_seldom_differ(tmp_path):
    """The same code 60 times, with noise of 5% from run to run: at most one report in twenty has a finding."""
    rng = np.random.default_rng(5)
    wrong = 0
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        sides = [write_runs(folder, side, [a_run(rng, noise=0.05) for _ in range(4)]) for side in "ab"]
        items = check_profiles(*sides).items
        wrong += any(item.verdict in {"regression", "improvement"} for item in items if item.kind == "function")
    assert wrong <= 6


def test_recordings_of_different_length_are_pointed_out(tmp_path):
    """A recording three times as long is no run of the same work, and the reader is told."""
    rng = np.random.default_rng(6)
    before = write_runs(tmp_path, "a", [a_run(rng, duration_ns=10 * 10**9)])
    after = write_runs(tmp_path, "b", [a_run(rng, duration_ns=30 * 10**9)])
    assert check_profiles(before, after).notes == (
        "The recordings are 10 to 30 s long, and each counts as one run of the same work.",
    )


def test_what_is_no_profile_is_named(tmp_path):
    """A file that is missing, damaged, a page, of no known kind, or of another kind than the first: exit 2 and why."""
    good = write_runs(tmp_path, "a", [a_run(np.random.default_rng(7))])[0]
    (tmp_path / "cut.pb.gz").write_bytes(gzip.compress(b"x" * 100)[:-10])
    (tmp_path / "page.html").write_bytes(b"<html>")
    (tmp_path / "noise.bin").write_bytes(b"\0")
    (tmp_path / "other.collapsed").write_text("main;work 5\n")
    expected = {
        "1.4.0": "its suffix is not that of a profile",
        "missing.pb.gz": "to compare releases that a collector knows, give --service",
        "cut.pb.gz": "cut short",
        "page.html": "a page cannot be read as a profile",
        "noise.bin": "its suffix is not that of a profile",
        "other.collapsed": "measures cpu in nanoseconds, and",
    }
    for name, words in expected.items():
        with pytest.raises(ConfigError, match=re.escape(words)):
            check_profiles([good], [tmp_path / name])


def test_empty_profiles_have_no_verdict(tmp_path):
    """Three files without a sample on each side: nothing is divided by zero, and nothing was found."""
    (tmp_path / "a.collapsed").write_text("")
    report = check_profiles([tmp_path / "a.collapsed"] * 3, [tmp_path / "a.collapsed"] * 3)
    assert report.verdict in {"no_change", "not_enough_data"}


def test_a_service_takes_one_release_a_side():
    """Two baselines and a service contradict each other."""
    done = CliRunner().invoke(command, ["--service", "s", "--baseline", "1", "--baseline", "2", "--candidate", "3"])
    assert isinstance(done.exception, ConfigError)
    assert "given 2 times" in str(done.exception)
