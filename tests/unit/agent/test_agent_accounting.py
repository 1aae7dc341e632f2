"""Cutting a process's CPU time into windows, and giving it to what was seen."""

import dataclasses
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.accounting import Account, Moment, Seen
from agent.procfs import ProcessStat
from agent.python_process import PythonProcess
from agent.reader.engine import Target
from pyrometer.values import NATIVE_THREAD, NOT_SAMPLED, Frame, FrameType, Sample

S = 1_000_000_000
CARRY_S = 60.0


def at(seconds: float) -> Moment:
    return Moment(int(seconds * S), 1_700_000_000 * S + int(seconds * S))


def a_process(cpu_ns: int = 0) -> PythonProcess:
    stat = ProcessStat(7, "python3", "S", 1, 100, cpu_ns, ("", "1", "2"))
    return PythonProcess(target=Target(7, 100), attributes={"service.name": "shop"}, stat=stat, descriptor=-1)


def use(process: PythonProcess, cpu_ns: int) -> None:
    process.stat = dataclasses.replace(process.stat, cpu_ns=process.stat.cpu_ns + cpu_ns)


def an_account(process: PythonProcess, cpu_ns: int = 0, **changes) -> Account:
    return Account(process, **{"start": at(0), "start_cpu_ns": cpu_ns, "carry_s_max": CARRY_S, **changes})


def seen_of(samples, before=None, after=None, **changes) -> Seen:
    return Seen(
        samples=tuple(
            Sample(stack=(Frame(name),), count=count, value=0, thread_id=tid) for name, count, tid in samples
        ),
        period_ns=S // 19,
        clocks_before=before or {},
        clocks_after=after or {},
        **changes,
    )


def values_of(profile) -> dict[str, int]:
    return {"/".join(frame.function for frame in sample.stack): sample.value for sample in profile.samples}


class Process:
    """A process in simulated time: its threads use CPU, windows look at it, and what is reported is summed."""

    def __init__(self, carry_s_max: float = CARRY_S) -> None:
        self.process = a_process()
        self.account = an_account(self.process, carry_s_max=carry_s_max, clocks={})
        self.now_s = 0.0
        self.clocks: dict[int, int] = {}
        self.reported: dict[str, int] = {}

    def run(self, seconds: float, threads: dict[int, int]) -> None:
        self.now_s += seconds
        for thread, cpu_ns in threads.items():
            self.clocks[thread] = self.clocks.get(thread, 0) + cpu_ns
        use(self.process, sum(threads.values()))

    def window(self, seconds: float, threads: dict[int, int], samples, **changes):
        self.account.begin(at(self.now_s))
        before = dict(self.clocks)
        self.run(seconds, threads)
        return self.add(self.account.settle(at(self.now_s), seen_of(samples, before, dict(self.clocks), **changes)))

    def close(self, **changes):
        return self.add(self.account.close(at(self.now_s), clocks=dict(self.clocks), **changes))

    def add(self, profile):
        for name, value in values_of(profile).items() if profile else ():
            self.reported[name] = self.reported.get(name, 0) + value
        return profile


THREADS = st.dictionaries(st.integers(1, 4), st.integers(0, 20 * S), max_size=4)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["seen", "skipped", "closed"]),
        st.floats(0.0, 80.0),
        THREADS,
        st.lists(st.tuples(st.sampled_from("fgh"), st.integers(0, 5), st.integers(0, 6)), max_size=5),
        st.frozensets(st.integers(1, 4)),
        st.integers(-30_000_000, 30_000_000),
    ),
    max_size=20,
)


@given(STEPS)
def test_windows_follow_each_other_and_sum_to_the_clock(steps):
    """However windows are cut, seen or not, by whatever clocks: no gap, no overlap, and the values sum to the CPU."""
    world = Process()
    profiles = []
    used = 0
    for kind, seconds, threads, samples, python, rounding in steps:
        start_cpu = world.process.stat.cpu_ns
        if kind == "seen":
            # The process's clock and those of its threads never agree to the nanosecond.
            use(world.process, max(rounding, -start_cpu) if rounding > 0 else 0)
            profiles.append(world.window(seconds, threads, samples, python_threads=python))
        else:
            world.run(seconds, threads)
            profiles.append(world.close() if kind == "closed" else None)
        used += world.process.stat.cpu_ns - start_cpu
    profiles = [profile for profile in profiles if profile]
    reported = sum(sample.value for profile in profiles for sample in profile.samples)

    assert reported + world.account.unreported_ns() == used
    assert all(sample.value >= 0 for profile in profiles for sample in profile.samples)
    ends = [profile.start_unix_ns + profile.duration_ns for profile in profiles]
    assert [profile.start_unix_ns for profile in profiles] == [at(0).unix_ns, *ends[:-1]][: len(profiles)]


def test_a_seen_window_carries_its_samples():
    """Samples are scaled to the CPU time, and the period of the engine is kept."""
    process = a_process()
    account = an_account(process)
    use(process, 4 * S)
    profile = account.settle(at(10), seen_of([("f", 3, 0), ("g", 1, 0)]))

    assert [sample.value for sample in profile.samples] == [3 * S, S]
    assert (profile.duration_ns, profile.period_ns) == (10 * S, S // 19)
    assert profile.attributes == {"service.name": "shop"}


def test_a_threads_time_stays_with_its_own_stacks():
    """A thread seen often that used little CPU gets little: its clock decides, not how often it was seen."""
    world = Process()
    world.window(10, {1: S // 100, 2: 9 * S}, [("waits", 90, 1), ("works", 10, 2)])

    assert world.reported == {"waits": S // 100, "works": 9 * S}


def test_a_python_thread_without_a_sample_waits_for_its_next_one():
    """A thread that is known and was not seen keeps its time until it is seen; then its stacks get it."""
    world = Process()
    python = frozenset({1, 2})
    world.window(10, {1: 5 * S, 2: S // 50}, [("busy", 95, 1)], python_threads=python)
    assert world.reported == {"busy": 5 * S}
    assert world.account.unreported_ns() == S // 50
    world.window(10, {1: 5 * S, 2: S // 50}, [("busy", 95, 1), ("rare", 1, 2)], python_threads=python)

    assert world.reported == {"busy": 10 * S, "rare": S // 25}


def test_what_waited_too_long_is_said_to_be_not_sampled():
    """After the longest wait a thread's time is given up, under its id."""
    world = Process()
    for _ in range(8):
        profile = world.window(10, {1: S, 2: S // 50}, [("busy", 19, 1)], python_threads=frozenset({1, 2}))

    assert world.reported == {"busy": 8 * S, "[not sampled]": S // 50}
    assert [sample.thread_id for sample in profile.samples if sample.stack == (NOT_SAMPLED,)] == [2]
    assert world.account.unreported_ns() == 7 * S // 50


def test_a_thread_that_runs_no_python_is_named_at_once():
    """Time of a thread that no interpreter knows is shown under the kernel's name of the thread."""
    world = Process()
    profile = world.window(
        10, {1: S, 9: 3 * S}, [("busy", 19, 1)], python_threads=frozenset({1}), names={9: "grpc_poller"}
    )

    assert profile.samples[-1].stack == (NATIVE_THREAD, Frame("grpc_poller", frame_type=FrameType.MARKER))
    assert (profile.samples[-1].value, profile.samples[-1].count, profile.samples[-1].thread_id) == (3 * S, 0, 9)


def test_a_window_in_which_nothing_was_seen_stays_open():
    """A window without a sample reports nothing; the next one covers both."""
    world = Process()
    assert world.window(10, {1: S // 100}, []) is None
    profile = world.window(10, {1: S // 100}, [("rare", 1, 1)])

    assert world.reported == {"rare": S // 50}
    assert (profile.start_unix_ns, profile.duration_ns) == (at(0).unix_ns, 20 * S)


def test_skipped_time_is_given_to_the_next_window_seen():
    """A process that was passed over for 30 s and used CPU evenly: the next window stands for all of it."""
    world = Process()
    world.run(30, {1: 15 * S})
    profile = world.window(10, {1: 5 * S}, [("f", 3, 1), ("g", 1, 1)])

    assert world.reported == {"f": 15 * S, "g": 5 * S}
    assert profile.duration_ns == 40 * S


def test_a_burst_that_nobody_saw_is_not_put_on_quiet_code():
    """What was used while nobody looked is not given to code that ran at a tenth of that speed."""
    world = Process()
    world.window(10, {1: S // 10}, [("quiet", 1, 1)])
    world.run(10, {1: 10 * S})
    for _ in range(8):
        world.window(10, {1: S // 10}, [("quiet", 1, 1)])

    assert world.reported["quiet"] == 10 * S // 10
    assert world.reported["[not sampled]"] == 10 * S - S // 10


def test_threads_that_ended_share_what_no_clock_explains():
    """Samples of threads that are gone when the window ends get the time that the threads left do not account for."""
    world = Process()
    world.account.begin(at(0))
    world.run(10, {1: 2 * S, 5: 3 * S})
    world.add(world.account.settle(at(10), seen_of([("stays", 4, 1), ("ended", 6, 5)], {1: 0}, {1: 2 * S})))

    assert world.reported == {"stays": 2 * S, "ended": 3 * S}


def test_unknown_thread_ids_share_the_whole_time():
    """Where no sample's thread is one the kernel shows, the threads' clocks are of no use."""
    world = Process()
    world.window(10, {1: 2 * S, 2: 2 * S}, [("f", 3, 101), ("g", 1, 102)])

    assert world.reported == {"f": 3 * S, "g": S}


def test_closing_gives_everything_to_one_stack():
    """What is closed without a look, with a reason, takes along what waited."""
    world = Process()
    world.window(10, {1: S, 2: S}, [("busy", 19, 1)], python_threads=frozenset({1, 2}))
    world.run(10, {1: S})
    profile = world.close(stack=(NOT_SAMPLED, Frame("[no permission]")))

    assert world.reported == {"busy": S, "[not sampled]/[no permission]": 2 * S}
    assert profile.duration_ns == 10 * S
    assert world.account.unreported_ns() == 0


def test_an_idle_window_is_reported_with_its_length():
    """A process that used nothing was observed all the same."""
    profile = an_account(a_process()).close(at(10))

    assert profile.samples == (Sample(stack=(NOT_SAMPLED,), count=0, value=0),)
    assert profile.duration_ns == 10 * S


def test_a_window_without_length_is_none():
    """Closing twice at the same moment reports nothing the second time."""
    account = an_account(a_process())

    assert account.close(at(1)) is not None
    assert account.close(at(1)) is None


def test_busy_share_looks_back_ten_to_twenty_seconds():
    """A clock tick does not make a process busy, and work of long ago does not keep it so."""
    process = a_process()
    account = an_account(process)
    assert account.busy_share(at(0)) == 0.0
    use(process, 1 * S)
    assert account.busy_share(at(10)) == 0.1
    assert account.busy_share(at(20)) == 0.05
    assert account.busy_share(at(30)) == 0.0


def test_a_clock_that_runs_backwards_counts_as_nothing():
    """A stat line that shows less than before never gives a negative value."""
    process = a_process(cpu_ns=5 * S)

    assert an_account(process, cpu_ns=6 * S).close(at(1)).samples[0].value == 0


PHASES = {  # (seconds, CPU share, function): what a process does in turn
    "steady": [(40, 0.5, "f"), (40, 0.5, "g")],
    "busy and quiet by turns": [(10, 1.0, "burst"), (10, 0.1, "quiet")],
    "long bursts": [(120, 1.0, "burst"), (600, 0.05, "quiet")],
}


@pytest.mark.parametrize("phases", PHASES.values(), ids=PHASES)
@pytest.mark.parametrize("probability", [1.0, 0.5, 0.2])
def test_shares_are_unbiased_when_a_random_part_of_the_windows_is_seen(phases, probability):
    """A process seen in a random part of its windows: the shares of what was seen come out right, the sum exactly."""
    chance = random.Random(1)
    world = Process()
    truth: dict[str, int] = {}
    length_s = sum(seconds for seconds, _, _ in phases)
    for number in range(12_000):
        ends = itertools.accumulate(seconds for seconds, _, _ in phases)
        at_s = number * 10 % length_s
        _, share, function = next(phase for phase, end_s in zip(phases, ends, strict=True) if at_s < end_s)
        cpu_ns = int(10 * S * share * chance.uniform(0.8, 1.2))
        truth[function] = truth.get(function, 0) + cpu_ns
        count = sum(chance.random() < share for _ in range(40))
        if chance.random() < probability:
            world.window(10, {1: cpu_ns}, [(function, count, 1)])
        else:
            world.run(10, {1: cpu_ns})
            if world.account.open_ns(at(world.now_s)) >= CARRY_S * S:
                world.close()
    world.close()
    unseen = world.reported.pop("[not sampled]", 0)

    assert sum(world.reported.values()) + unseen == sum(truth.values())
    shares = {name: value / sum(world.reported.values()) for name, value in world.reported.items()}
    expected = {name: value / sum(truth.values()) for name, value in truth.items()}
    assert shares == pytest.approx(expected, abs=0.03)
