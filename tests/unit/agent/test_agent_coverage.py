"""What is said of the last minute."""

import pytest

from agent.coverage import Coverage
from agent.reader.engine import Window
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv
from pyrometer.values import NOT_SAMPLED, Frame, Profile, Sample

S = 1_000_000_000


def a_profile(seen_ns: int, unseen_ns: int) -> Profile:
    return Profile(
        samples=(
            Sample(stack=(Frame("f"),), count=3, value=seen_ns),
            Sample(stack=(NOT_SAMPLED,), count=0, value=unseen_ns),
        )
    )


def a_window(**changes) -> Window:
    return Window(samples=(), start_unix_ns=0, period_ns=S // 19, **{"duration_ns": 10 * S, **changes})


def test_coverage_is_the_share_of_cpu_time_that_stacks_stand_for():
    """All CPU time of a minute counts, by its amount."""
    metrics = SelfMetrics()
    coverage = Coverage(metrics)
    coverage.add_profile(0, a_profile(3 * S, 1 * S))
    coverage.add_profile(S, a_profile(0, 2 * S))
    coverage.tell(S)

    assert metrics.value(semconv.AGENT_COVERAGE) == 0.5
    assert metrics.value(semconv.AGENT_CPU_NOT_SAMPLED) == 3.0


def test_the_rate_is_that_of_the_looks_taken():
    """Looks over the time in which they were taken, windows that do not know left out."""
    metrics = SelfMetrics()
    coverage = Coverage(metrics)
    coverage.add_window(0, a_window(ticks=190))
    coverage.add_window(0, a_window(ticks=50, duration_ns=5 * S))
    coverage.add_window(0, a_window())
    coverage.tell(0)

    assert metrics.value(semconv.AGENT_RATE) == 16.0


def test_after_a_minute_it_is_forgotten():
    """What is older than a minute says nothing any more."""
    metrics = SelfMetrics()
    coverage = Coverage(metrics)
    coverage.add_profile(0, a_profile(S, 0))
    coverage.add_window(0, a_window(ticks=190))
    coverage.tell(61 * S)

    assert metrics.value(semconv.AGENT_COVERAGE) == metrics.value(semconv.AGENT_RATE) == 0.0


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("late", semconv.AGENT_SAMPLES_LATE),
        ("lost", semconv.AGENT_SAMPLES_LOST),
        ("unstable", semconv.AGENT_SAMPLES_UNSTABLE),
        ("cut", semconv.AGENT_SAMPLES_CUT),
    ],
)
def test_what_a_window_lacks_is_counted(field, name):
    """Each kind of shortcoming has its counter."""
    metrics = SelfMetrics()
    Coverage(metrics).add_window(0, a_window(**{field: 3}))

    assert metrics.value(name) == 3
