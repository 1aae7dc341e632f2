"""Windows of one target are summed into one profile, within limits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adhoc import recording as recording_module
from agent.adhoc.recording import OTHER_STACKS, Recording
from agent.reader.engine import Window
from pyrometer.values import Frame, Sample


def a_sample(name: str, count: int = 1, *, thread_id: int = 1, thread_name: str = "main") -> Sample:
    return Sample(
        stack=(Frame(name, "a.py", 1),), count=count, value=count * 10, thread_id=thread_id, thread_name=thread_name
    )


def a_window(*samples: Sample, start: int = 100, duration: int = 50, **counts: int) -> Window:
    return Window(samples=samples, start_unix_ns=start, duration_ns=duration, period_ns=10, **counts)


def a_recording(*windows: Window, **settings: bool) -> Recording:
    recording = Recording(period_ns=10, **settings)
    for window in windows:
        recording.add(window)
    return recording


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), max_size=5), max_size=5))
def test_nothing_is_lost_between_windows_and_profile(windows):
    """Counts and values of the profile are the sums over all windows."""
    recorded = [[a_sample(name, count) for name, count in window] for window in windows]
    profile = a_recording(*(a_window(*samples) for samples in recorded)).profile({})
    flat = [sample for samples in recorded for sample in samples]
    assert sum(sample.count for sample in flat) == sum(sample.count for sample in profile.samples)
    assert sum(sample.value for sample in flat) == sum(profile.values().values())
    assert len({sample.stack for sample in flat}) == len(profile.samples)


def test_the_profile_spans_all_windows():
    """It begins with the first window and ends with the last; gaps between windows are in its length."""
    profile = a_recording(a_window(start=100, duration=50), a_window(start=200, duration=50)).profile({"a": "b"})
    assert (100, 150, 10) == (profile.start_unix_ns, profile.duration_ns, profile.period_ns)
    assert {"a": "b"} == profile.attributes
    assert "cpu" == profile.sample_type


def test_idle_threads_make_it_wall_time():
    """Waiting is no CPU time."""
    assert "wall" == a_recording(wall=True).profile({}).sample_type


def test_threads_stay_apart():
    """The same stack in two threads is two samples, so that a thread can be looked at alone."""
    recording = a_recording(a_window(a_sample("f", thread_id=1), a_sample("f", thread_id=2)))
    assert [1, 2] == sorted(sample.thread_id for sample in recording.profile({}).samples)


def test_too_many_stacks_are_counted_under_one_name(monkeypatch):
    """A recording without end does not fill the memory, and says how many samples it could not tell apart."""
    monkeypatch.setattr(recording_module, "STACKS_MAX", 2)
    recording = a_recording(a_window(*(a_sample(name, 3) for name in "abcda")))
    counts = {stack[0].function: count for stack, count in recording.profile({}).counts().items()}
    assert {"a": 6, "b": 3, OTHER_STACKS.function: 6} == counts
    assert (15, 6) == (recording.totals.samples, recording.totals.merged_stacks)


def test_errors_and_lost_samples_add_up():
    """What was not read is told."""
    totals = a_recording(a_window(errors=2, lost=5), a_window(errors=1)).totals
    assert (3, 5) == (totals.errors, totals.lost)


def test_rate_and_unstable_share_are_those_achieved():
    """Looks over the time looked, and the samples without their leaf part over all samples."""
    totals = a_recording(
        a_window(a_sample("f", 3), duration=500_000_000, ticks=40, unstable=1),
        a_window(a_sample("f", 1), duration=500_000_000, ticks=60),
    ).totals
    assert (100.0, 0.25) == (totals.rate_hz, totals.unstable_share)
    assert (0.0, 0.0) == (a_recording().totals.rate_hz, a_recording().totals.unstable_share)
