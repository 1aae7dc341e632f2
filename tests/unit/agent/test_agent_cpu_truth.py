"""Scaling samples to CPU time: the bill adds up."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cpu_truth import scale_samples
from pyrometer.values import NOT_SAMPLED, Frame, Sample

_NS = st.integers(min_value=0, max_value=10**15)
_SAMPLES = st.lists(
    st.builds(
        lambda name, count, thread: Sample(stack=(Frame(f"f{name}"),), count=count, value=12345, thread_id=thread),
        st.integers(0, 5),
        st.integers(0, 1000),
        st.integers(0, 4),
    ),
    max_size=30,
)
_CLOCKS = st.dictionaries(st.integers(1, 6), _NS, max_size=6)


def sample(name: str, count: int, thread: int = 0) -> Sample:
    return Sample(stack=(Frame(name),), count=count, value=0, thread_id=thread)


def values(samples: tuple[Sample, ...]) -> dict[tuple[str, int], int]:
    return {(one.stack[-1].function, one.thread_id): one.value for one in samples}


@given(_SAMPLES, _NS, _CLOCKS)
@settings(max_examples=300)
def test_values_sum_to_the_cpu_time_exactly(samples, cpu_ns, clocks):
    """Whatever was seen and measured, nothing is lost and nothing is added, in whole nanoseconds."""
    scaled = scale_samples(samples, cpu_ns, clocks)

    assert sum(one.value for one in scaled) == cpu_ns
    assert all(isinstance(one.value, int) and one.value >= 0 for one in scaled)


@given(_SAMPLES, _NS, _CLOCKS)
@settings(max_examples=200)
def test_stacks_counts_and_order_are_kept(samples, cpu_ns, clocks):
    """Scaling changes values alone, and appends only ``[not sampled]`` stacks of count 0."""
    scaled = scale_samples(samples, cpu_ns, clocks)
    kept, added = scaled[: len(samples)], scaled[len(samples) :]

    assert [(one.stack, one.count, one.thread_id) for one in kept] == [
        (one.stack, one.count, one.thread_id) for one in samples
    ]
    assert all(one.stack == (NOT_SAMPLED,) and one.count == 0 and one.value > 0 for one in added)


@given(_SAMPLES, _NS, _CLOCKS)
def test_what_was_never_seen_gets_nothing(samples, cpu_ns, clocks):
    """A sample of count 0 stands for no time."""
    scaled = scale_samples(samples, cpu_ns, clocks)

    assert all(one.value == 0 for one in scaled[: len(samples)] if one.count == 0)


def test_time_is_shared_by_how_often_a_stack_was_seen():
    """Without thread clocks, three sightings of four get three quarters."""
    scaled = scale_samples([sample("a", 3), sample("b", 1)], 1000)

    assert values(scaled) == {("a", 0): 750, ("b", 0): 250}


def test_a_threads_time_stays_with_its_own_stacks():
    """A thread seen often that used little CPU gets little: its clock decides, not the profiler."""
    scaled = scale_samples([sample("waits", 90, 1), sample("works", 10, 2)], 1000, {1: 100, 2: 900})

    assert values(scaled) == {("waits", 1): 100, ("works", 2): 900}


def test_a_thread_that_ran_unseen_is_said_to_be_not_sampled():
    """CPU time of a thread without samples is kept, under its own thread id."""
    scaled = scale_samples([sample("works", 10, 2)], 1000, {1: 400, 2: 600})

    assert values(scaled) == {("works", 2): 600, ("[not sampled]", 1): 400}


def test_time_beyond_the_threads_goes_to_samples_of_unknown_threads():
    """What the known threads do not explain is shared among the samples that no clock covers."""
    scaled = scale_samples([sample("known", 1, 1), sample("unknown", 5, 0)], 1000, {1: 400})

    assert values(scaled) == {("known", 1): 400, ("unknown", 0): 600}


def test_unknown_thread_ids_share_the_whole_time():
    """Where no sample's thread is one the kernel shows, the clocks are of no use and nothing is called unseen."""
    scaled = scale_samples([sample("a", 3, 0), sample("b", 1, 99)], 1000, {1: 400, 2: 600})

    assert values(scaled) == {("a", 0): 750, ("b", 99): 250}


def test_unseen_threads_are_named_when_nothing_was_seen():
    """A window without a sample keeps what each thread used."""
    assert values(scale_samples((), 1000, {1: 400, 2: 500})) == {
        ("[not sampled]", 0): 100,
        ("[not sampled]", 1): 400,
        ("[not sampled]", 2): 500,
    }


def test_clocks_that_run_ahead_are_scaled_down_to_the_total():
    """Thread clocks that sum to more than the process used keep their proportion and not their size."""
    scaled = scale_samples([sample("a", 1, 1), sample("b", 1, 2)], 100, {1: 300, 2: 100})

    assert values(scaled) == {("a", 1): 75, ("b", 2): 25}


def test_cpu_time_without_any_sample_is_one_honest_stack():
    """A window that nobody looked at is all ``[not sampled]``."""
    assert values(scale_samples((), 1000)) == {("[not sampled]", 0): 1000}
    assert scale_samples((), 0) == ()
