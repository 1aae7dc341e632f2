"""Which parts run, and how."""

from pathlib import Path

import pytest

from pyrometer.up.plan import DEMO_BUDGET_PERCENT, Part, UpOptions, plan_up, stop_deadlines, stop_waves
from pyrometer.up.supervisor import STOP_TOTAL_S

PORTS = {"collector": 4318, "grpc": 4317, "agent": 7072, "dashboard": 8501, "demo": 20_000}


def an_option(**changes) -> UpOptions:
    return UpOptions(**{"data_directory": Path("/data"), "ports": PORTS, **changes})


def a_part(name: str, reserve_s: float = 1.0, needs: tuple[str, ...] = ()) -> Part:
    return Part(name=name, command=("true",), stop_reserve_s=reserve_s, needs=needs)


def test_parts_start_in_order_and_the_demo_only_when_asked():
    """The collector starts first; the demo is there only with its option, and last."""
    assert [part.name for part in plan_up(an_option())] == ["collector", "agent", "dashboard"]
    assert [part.name for part in plan_up(an_option(demo=True))] == ["collector", "agent", "dashboard", "demo"]


def test_all_others_need_the_collector():
    """Whatever sends to the collector, or reads from it, waits until it is ready."""
    collector, *others = plan_up(an_option(demo=True))

    assert collector.needs == ()
    assert {part.needs for part in others} == {("collector",)}


def test_every_part_gets_its_own_port_and_the_collectors_address():
    """The chosen ports reach the commands, the shown addresses and the readiness checks."""
    parts = {part.name: part for part in plan_up(an_option(demo=True))}

    assert "127.0.0.1:4318" in parts["collector"].command
    assert "127.0.0.1:4317" in parts["collector"].command
    assert "/data" in parts["collector"].command
    for name in ("agent", "dashboard", "demo"):
        assert "http://127.0.0.1:4318" in parts[name].command
    assert parts["dashboard"].address == "http://127.0.0.1:8501"
    assert parts["agent"].ready_urls == ("http://127.0.0.1:7072/readyz",)
    assert parts["demo"].ready_urls == ("http://127.0.0.1:20000/healthz", "http://127.0.0.1:20001/healthz")


def test_config_files_go_to_their_programs():
    """Each program gets its own config file and no other."""
    options = an_option(configs={"collector": Path("/etc/c.yaml"), "agent": Path("/etc/a.yaml")})

    parts = {part.name: part.command for part in plan_up(options)}

    assert parts["collector"][-8:-6] == ("--config", "/etc/c.yaml")
    assert "/etc/a.yaml" in parts["agent"]
    assert "--config" not in parts["dashboard"]


@pytest.mark.parametrize(
    ("changes", "variable", "expected"),
    [
        ({"demo": True}, None, DEMO_BUDGET_PERCENT),
        ({"demo": True}, "2", None),
        ({"demo": True, "configs": {"agent": Path("/etc/a.yaml")}}, None, None),
        ({}, None, None),
    ],
)
def test_the_agent_of_a_demo_may_use_more(monkeypatch, changes, variable, expected):
    """A comparison of minutes needs more samples; who set a budget, or a file that may hold one, is not overruled."""
    name = "PYROMETER_AGENT_BUDGET__CPU_PERCENT"
    monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(name, variable)

    agent = next(part for part in plan_up(an_option(**changes)) if part.name == "agent")

    assert agent.environment.get(name) == expected


def test_no_part_is_imported_from_the_current_directory():
    """The interpreter runs with -P: a folder named `agent` where somebody stands is not our agent."""
    assert all(part.command[1] == "-P" for part in plan_up(an_option(demo=True)))


def test_the_collector_stops_after_all_that_send_to_it():
    """The parts that need the collector stop together, the last started first; then the collector."""
    waves = stop_waves(plan_up(an_option(demo=True)))

    assert [[part.name for part in wave] for wave in waves] == [["demo", "dashboard", "agent"], ["collector"]]


def test_chains_of_needs_stop_from_their_end():
    """A part stops only when nothing that needs it runs."""
    parts = [a_part("a"), a_part("b", needs=("a",)), a_part("c", needs=("b",)), a_part("d", needs=("a",))]

    assert [[part.name for part in wave] for wave in stop_waves(parts)] == [["d", "c"], ["b"], ["a"]]


def test_parts_that_need_each_other_still_stop():
    """A mistake in the plan does not make `up` immortal."""
    parts = [a_part("a", needs=("b",)), a_part("b", needs=("a",))]

    assert [[part.name for part in wave] for wave in stop_waves(parts)] == [["b", "a"]]


def test_the_last_wave_may_use_what_the_others_left():
    """Each deadline keeps the largest reserves of the waves that stop later, and the last one is the total."""
    waves = [[a_part("demo", 2.0)], [a_part("agent", 2.5), a_part("dashboard", 1.0)], [a_part("collector", 3.0)]]

    assert stop_deadlines(waves, now=100.0, total_s=9.0) == pytest.approx([103.5, 106.0, 109.0])


def test_reserves_above_the_total_leave_no_negative_time():
    """With too little time in all, a part is asked to stop and then killed at once, never before."""
    waves = [[a_part("a", 5.0)], [a_part("b", 5.0)]]

    assert stop_deadlines(waves, now=10.0, total_s=3.0) == pytest.approx([10.0, 13.0])


def test_every_part_has_the_five_seconds_to_stop_that_it_may_need():
    """Within the total each wave of the real plan gets at least what its parts promise or reserve."""
    waves = stop_waves(plan_up(an_option(demo=True)))

    first, last = stop_deadlines(waves, now=0.0, total_s=STOP_TOTAL_S)

    assert first >= 5.0
    assert last < 10.0
