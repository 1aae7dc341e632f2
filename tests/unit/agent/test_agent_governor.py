"""The governor, on a machine of simulated time and known costs."""

import itertools
import random
from dataclasses import dataclass, field

import pytest

from agent.governor import Governor
from agent.reader.pace import Pace
from agent.selfmetrics import SelfMetrics
from agent.settings import BudgetSettings
from agent.usage import Usage
from pyrometer import semconv

S = 1_000_000_000
MIB = 1_048_576
WINDOW_S = 10


@dataclass
class Costs:
    """What things cost the simulated agent, in nanoseconds of CPU time."""

    base_per_s: int = 1_500_000
    attach: int = 3_000_000
    window: int = 1_000_000
    look: int = 20_000
    stack: int = 240_000


@dataclass
class Machine:
    """Processes that use CPU, an agent that samples them as the governor says, and what both did."""

    busy: list[float]
    costs: Costs = field(default_factory=Costs)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    rate_hz: float = 19.0
    seed: int = 1

    def __post_init__(self):
        self.metrics = SelfMetrics()
        self.pace = Pace(self.rate_hz)
        self.chance = random.Random(self.seed)
        # It has started up already.
        self.governor = Governor(
            self.budget,
            self.pace,
            self.metrics,
            window_s=WINDOW_S,
            windows_max=512,
            uniform=self.chance.random,
            warm_up_s=0.0,
        )
        self.now_s = 1000
        self.cpu_ns = self.loop_ns = 0
        self.ends: dict[int, int] = {}
        self.attached: set[int] = set()
        self.seconds: list[int] = []
        self.rates: list[float] = []
        self.windows: list[int] = []
        self.sampled: dict[int, int] = {}

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            before = self.cpu_ns
            self.second()
            self.seconds.append(self.cpu_ns - before)
            self.rates.append(self.pace.rate_hz)
            self.windows.append(len(self.ends))

    def second(self) -> None:
        costs, now_ns = self.costs, self.now_s * S
        for process in [process for process, end in self.ends.items() if end <= self.now_s]:
            del self.ends[process]
            self.cpu_ns += costs.window
            self.governor.window_ended(now_ns)
        ready = [(share, process) for process, share in enumerate(self.busy) if process not in self.ends and share]
        free = self.governor.free(now_ns, len(self.ends))
        for process in self.governor.draw(ready, free):
            self.ends[process] = self.now_s + int(self.governor.window_s)
            self.sampled[process] = self.sampled.get(process, 0) + 1
            if process not in self.attached:
                self.attached.add(process)
                self.cpu_ns += costs.attach
        for process in self.ends:
            self.cpu_ns += int(self.pace.rate_hz * (costs.look + costs.stack * self.busy[process]))
        base = costs.base_per_s // self.governor.scan_factor
        self.cpu_ns += base
        self.loop_ns += base
        self.now_s += 1
        self.governor.observe(
            self.now_s * S,
            Usage(self.cpu_ns, 60 * MIB, self.loop_ns),
            in_flight=len(self.ends),
            waiting=max(0, len(ready) - max(0, free)),
        )

    def minutes(self, start: int = 0) -> list[float]:
        """Use of every minute that begins at a whole second, as a share of the budget."""
        budget_ns = 60 * S * self.budget.cpu_percent / 100
        return [sum(self.seconds[at : at + 60]) / budget_ns for at in range(start, len(self.seconds) - 59)]

    def changes(self, start: int) -> int:
        rates = self.rates[start:]
        return sum(before != after for before, after in itertools.pairwise(rates))


def test_a_quiet_host_is_sampled_at_the_full_rate():
    """A few processes fit the budget: all of them are sampled, at the full rate, all the time."""
    machine = Machine([0.3] * 2 + [0.02] * 5)
    machine.run(600)

    assert set(machine.rates) == {19.0}
    assert machine.windows[-1] == 7
    assert max(machine.minutes()) < 1.0


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_five_hundred_processes_at_once_stay_within_the_budget(share):
    """500 processes start together: no minute is more than a fifth over, and the budget is used, not given away."""
    machine = Machine([0.0] * 500)
    machine.run(120)
    machine.busy = [share] * 500
    machine.run(1800)

    assert max(machine.minutes()) < 1.2
    assert sum(machine.minutes(600)) / len(machine.minutes(600)) > 0.6
    assert set(machine.rates[600:]) == {2.0}
    assert 1 <= machine.windows[-1] < 500


def test_the_rate_goes_first():
    """Where a lower rate is enough, every process is still sampled."""
    machine = Machine([0.3] * 12)
    machine.run(900)

    assert max(machine.minutes()) < 1.2
    assert set(machine.rates[300:]) <= {9.0, 6.0}
    assert min(machine.windows[300:]) == 12


def test_one_process_that_is_too_dear_is_sampled_part_of_the_time():
    """A process whose every window is over the budget gets windows apart, at moments that follow no rhythm."""
    machine = Machine([400.0], costs=Costs(look=1_000_000))
    machine.run(3600)
    starts = [
        second
        for second, (before, after) in enumerate(itertools.pairwise(machine.windows))
        if before == 0 and after == 1
    ]
    gaps = [after - before for before, after in itertools.pairwise(starts)][3:]

    assert machine.governor.windows < 1
    assert machine.governor.window_s < WINDOW_S
    assert max(machine.minutes(600)) < 1.5
    assert sum(machine.seconds[600:]) / len(machine.seconds[600:]) < 1.2 * S * 0.01
    assert len(set(gaps)) > len(gaps) / 2


def test_it_recovers_when_the_load_is_gone():
    """After an hour of 500 busy processes, a few are sampled at the full rate again within minutes."""
    machine = Machine([0.5] * 500)
    machine.run(1800)
    machine.busy = [0.2] * 2 + [0.0] * 498
    machine.run(600)

    assert machine.rates[-1] == 19.0
    assert machine.windows[-1] == 2


@pytest.mark.parametrize("processes", [6, 12, 25, 50, 100, 250])
def test_it_does_not_swing(processes):
    """Under a steady load the rate comes to rest: what fails once is tried ever more rarely."""
    machine = Machine([0.2] * processes)
    machine.run(7200)

    assert machine.changes(1800) <= 8
    assert max(machine.minutes()) < 1.2


def test_processes_are_looked_after_less_often_before_fewer_are_sampled():
    """Where housekeeping uses the budget, it becomes rarer, and sampling goes on."""
    machine = Machine([0.01] * 5, costs=Costs(base_per_s=12_000_000))
    machine.run(900)

    assert machine.governor.scan_factor in (2, 5)
    assert machine.windows[-1] == 5
    assert max(machine.minutes(120)) < 1.2


def test_housekeeping_over_the_budget_leaves_a_little_sampling():
    """Where even rare housekeeping is over the budget, some windows are taken all the same."""
    machine = Machine([0.5] * 50, costs=Costs(base_per_s=60_000_000))
    machine.run(1800)

    assert machine.rates[-1] == 2.0
    assert 0.1 < sum(machine.windows[900:]) / 900 < 1.0


def test_housekeeping_comes_back():
    """When it has become cheap again, processes are looked after as often as the settings say."""
    machine = Machine([0.01] * 5, costs=Costs(base_per_s=12_000_000))
    machine.run(300)
    machine.costs.base_per_s = 1_000_000
    machine.run(300)

    assert machine.governor.scan_factor == 1
    assert machine.rates[-1] == 19.0


def test_a_lower_rate_than_the_ladders_is_never_raised():
    """The rate of the settings is the highest, also where it is below every step."""
    machine = Machine([0.5] * 100, rate_hz=1.0)
    machine.run(600)

    assert set(machine.rates) == {1.0}


def test_who_is_sampled_follows_what_they_use():
    """Of many processes those that use more are drawn more often, in proportion, and all are drawn at times."""
    machine = Machine([0.4] * 100 + [0.1] * 100, costs=Costs(look=200_000))
    machine.run(20_000)
    dear = sum(machine.sampled.get(process, 0) for process in range(100))
    cheap = sum(machine.sampled.get(process, 0) for process in range(100, 200))

    assert dear / cheap == pytest.approx(4.0, rel=0.15)


def test_memory_over_the_budget_refuses_and_sheds():
    """Over the limit of memory idle attachments are let go, then half the windows; below it there is room again."""
    machine = Machine([0.5] * 4)
    machine.run(10)
    governor, now_ns = machine.governor, machine.now_s * S
    windows = governor.windows

    def observe(seconds: int, mib: int) -> None:
        governor.observe(now_ns + seconds * S, Usage(machine.cpu_ns, mib * MIB), in_flight=4, waiting=0)

    observe(1, 129)
    assert governor.memory_is_short
    assert governor.should_shed(now_ns + S)
    assert not governor.should_shed(now_ns + 2 * S)
    observe(12, 125)
    assert governor.memory_is_short
    assert governor.should_shed(now_ns + 12 * S)
    assert governor.windows == windows / 2
    observe(13, 110)
    assert not governor.memory_is_short
    assert machine.metrics.value(semconv.AGENT_BUDGET_CHANGES, reason="memory") == 2


def test_what_it_decides_is_shown():
    """Limits, use, rate and places are metrics."""
    machine = Machine([0.5] * 500)
    machine.run(300)
    used = machine.metrics.value(semconv.AGENT_BUDGET_CPU_USED)

    assert machine.metrics.value(semconv.AGENT_BUDGET_CPU) == 0.01
    assert used == pytest.approx(sum(machine.seconds[-60:]) / 60 / S, rel=0.05)
    assert machine.metrics.value(semconv.AGENT_BUDGET_RATE) == 2.0
    assert machine.metrics.value(semconv.AGENT_BUDGET_WINDOWS) == machine.governor.windows
    assert machine.metrics.value(semconv.AGENT_BUDGET_MEMORY_USED) == 60 * MIB


def test_starting_up_is_not_held_against_the_rate():
    """What imports and first looks cost happens once, and must not lower the rate for minutes."""
    pace = Pace(19.0)
    governor = Governor(BudgetSettings(), pace, SelfMetrics(), window_s=10.0, windows_max=512)
    for second in range(60):
        cpu_ns = min(second, 4) * 200_000_000 + second * 5_000_000
        governor.observe(second * 1_000_000_000, Usage(cpu_ns, 50_000_000, 0), in_flight=1, waiting=0)
    assert pace.rate_hz == 19.0
