"""Cutting a process's CPU time into windows."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from agent.accounting import Account, Moment, Seen
from agent.procfs import ProcessStat
from agent.reader.engine import Target
from agent.targets import PythonProcess
from pyrometer.values import NOT_SAMPLED, Frame, Sample

S = 1_000_000_000


def at(seconds: float) -> Moment:
    return Moment(int(seconds * S), 1_700_000_000 * S + int(seconds * S))


def a_process(cpu_ns: int = 0) -> PythonProcess:
    stat = ProcessStat(7, "python3", "S", 1, 100, cpu_ns, ("", "1", "2"))
    return PythonProcess(target=Target(7, 100), attributes={"service.name": "shop"}, stat=stat, descriptor=-1)


def use(process: PythonProcess, cpu_ns: int) -> None:
    process.stat = dataclasses.replace(process.stat, cpu_ns=process.stat.cpu_ns + cpu_ns)


@given(st.lists(st.tuples(st.integers(0, 20 * S), st.booleans()), max_size=20))
def test_windows_follow_each_other_and_sum_to_the_clock(steps):
    """However windows are cut, seen or not: no gap, no overlap, and the values sum to the CPU time used."""
    process = a_process(cpu_ns=5 * S)
    account = Account(process, start=at(0), start_cpu_ns=5 * S)
    profiles = []
    for second, (cpu_ns, seen) in enumerate(steps, start=1):
        use(process, cpu_ns)
        samples = (Sample(stack=(Frame("f"),), count=3, value=0),)
        profiles.append(account.settle(at(second), Seen(samples, S // 19, {}, {}) if seen else None))

    assert sum(sample.value for profile in profiles for sample in profile.samples) == sum(cpu for cpu, _ in steps)
    ends = [profile.start_unix_ns + profile.duration_ns for profile in profiles]
    assert [profile.start_unix_ns for profile in profiles] == [at(0).unix_ns, *ends[:-1]][: len(profiles)]


def test_a_seen_window_carries_its_samples():
    """Samples are scaled to the CPU time, and the period of the engine is kept."""
    process = a_process()
    account = Account(process, start=at(0), start_cpu_ns=0)
    use(process, 4 * S)
    samples = (Sample(stack=(Frame("f"),), count=3, value=0), Sample(stack=(Frame("g"),), count=1, value=0))
    profile = account.settle(at(10), Seen(samples, S // 19, {}, {}))

    assert [sample.value for sample in profile.samples] == [3 * S, S]
    assert (profile.duration_ns, profile.period_ns) == (10 * S, S // 19)
    assert profile.attributes == {"service.name": "shop"}


def test_only_the_threads_part_of_the_window_counts():
    """A thread's clock is taken from the start of sampling, not from the thread's birth."""
    process = a_process()
    account = Account(process, start=at(0), start_cpu_ns=0)
    use(process, 4 * S)
    samples = (Sample(stack=(Frame("f"),), count=3, value=0, thread_id=7),)
    profile = account.settle(at(10), Seen(samples, S // 19, {7: 100 * S}, {7: 103 * S}))

    assert [(sample.stack[0].function, sample.value) for sample in profile.samples] == [
        ("f", 3 * S),
        ("[not sampled]", S),
    ]


def test_an_idle_window_is_reported_with_its_length():
    """A process that used nothing was observed all the same."""
    profile = Account(a_process(), start=at(0), start_cpu_ns=0).settle(at(10))

    assert profile.samples == (Sample(stack=(NOT_SAMPLED,), count=0, value=0),)
    assert profile.duration_ns == 10 * S


def test_a_window_without_length_is_none():
    """Settling twice at the same moment reports nothing the second time."""
    account = Account(a_process(), start=at(0), start_cpu_ns=0)

    assert account.settle(at(1)) is not None
    assert account.settle(at(1)) is None


def test_busy_share_looks_back_one_window():
    """The share covers the open window and the one before, so that a clock tick does not make a process busy."""
    process = a_process()
    account = Account(process, start=at(0), start_cpu_ns=0)
    assert account.busy_share(at(0)) == 0.0
    use(process, 1 * S)
    assert account.busy_share(at(10)) == 0.1
    account.settle(at(10))
    assert account.busy_share(at(20)) == 0.05
    account.settle(at(20))
    assert account.busy_share(at(30)) == 0.0


def test_a_clock_that_runs_backwards_counts_as_nothing():
    """A stat line that shows less than before never gives a negative value."""
    process = a_process(cpu_ns=5 * S)
    account = Account(process, start=at(0), start_cpu_ns=6 * S)

    assert account.settle(at(1)).samples[0].value == 0
