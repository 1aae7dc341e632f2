"""The agent's signals: SIGHUP without a loss, SIGTERM in time whatever the collector does, and what systemd is told."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import uuid

import pytest
import yaml
from agent_programs import Program, free_port, get_json, get_text, poll, running, workload
from agent_sink import Sink

from agent.procfs import TICK_NS, read_stat

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

# Computes until it has used so much CPU time, then waits.
BURN = """
import sys, time
def burn(until_s):
    while time.process_time() < until_s:
        pass
burn(float(sys.argv[1]))
time.sleep(600)
"""
END_S = 5.0


@pytest.fixture
def service():
    return f"agent-e2e-{uuid.uuid4().hex[:8]}"


class RunningAgent(Program):
    """An agent that watches one service, with its settings in a file."""

    def __init__(self, folder, service, endpoint, **environment):
        self.config = folder / "agent.yaml"
        self.tree = {
            "targets": {"allow": [{"service": f"^{service}$"}]},
            "sampling": {"window_s": 1.0},
            # Nothing here is about the budget, which a busy host and metrics each second would use up.
            "budget": {"cpu_percent": 100.0},
            "metrics": {"interval_s": 1.0},
            # A process is on the host's bill until it is known to be one of the service: on a busy machine for long.
            "ledger": {"window_s": 300.0},
            "export": {"endpoint": endpoint, "retry_s": 0.2},
            "http": {"address": f"127.0.0.1:{free_port()}"},
        }
        self.write()
        state = {"XDG_STATE_HOME": str(folder / "state"), **environment}
        super().__init__(["agent", "run", "--config", str(self.config)], folder / "agent.log", state)
        self.url = f"http://{self.tree['http']['address']}"

    def write(self, **sections):
        for name, section in sections.items():
            self.tree.setdefault(name, {}).update(section)
        self.config.write_text(yaml.safe_dump(self.tree))

    def await_ready(self):
        poll(lambda: get_json(f"{self.url}/readyz"), what="a ready agent", of=self)

    def await_line(self, words):
        poll(lambda: any(words in line for line in self.lines()), what=repr(words), of=self)

    def reload(self, *, expecting):
        seen = len(self.lines())
        self.process.send_signal(signal.SIGHUP)
        poll(
            lambda: any(expecting in line for line in self.lines()[seen:]),
            what=f"{expecting!r} after line {seen}",
            of=self,
        )

    def metric(self, line_start):
        for line in get_text(f"{self.url}/metrics").splitlines():
            if line.startswith(line_start):
                return float(line.rpartition(" ")[2])
        return 0.0


def watched(agent):
    """Return how many processes are watched, once the others have been looked at."""
    denied = agent.metric('pyrometer_agent_targets{state="denied"}')
    return agent.metric('pyrometer_agent_targets{state="watched"}') if denied else None


@contextlib.contextmanager
def burning(service, seconds):
    """Run a program that uses so much CPU time and then waits."""
    environment = {"OTEL_SERVICE_NAME": service, "PATH": "/usr/bin:/bin"}
    with subprocess.Popen([sys.executable, "-c", BURN, str(seconds)], env=environment) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def has_burnt(pid, cpu_ns):
    """Return whether a program has used so much, and waits: on a busy machine the last of it takes a while."""
    stat = read_stat(pid)
    return stat.cpu_ns >= cpu_ns and stat.state == "S"


@pytest.mark.timeout(900)
def test_a_reload_applies_and_loses_no_cpu_time(tmp_path, service):
    """Settings change under load, at last so that the service is left out: all its CPU time arrives, once."""
    with Sink().serving() as sink, running(RunningAgent(tmp_path, service, sink.url)) as agent:
        agent.await_ready()
        with burning(service, 4.0) as pid:
            for rate_hz in (49, 11, 97):
                seen = len(sink.of(service))
                poll(lambda seen=seen: len(sink.of(service)) > seen, what="a window", of=agent)
                agent.write(sampling={"rate_hz": rate_hz})
                agent.reload(expecting="settings reloaded: sampling.rate_hz")
            # A share of a machine that is busy with other tests.
            poll(lambda: has_burnt(pid, 3_900_000_000), what="the end of the work")
            poll(lambda: sink.cpu_ns(service) >= 3_800_000_000, what="the last window", of=agent)
            agent.write(targets={"deny": [{"service": service}]})
            agent.reload(expecting="settings reloaded: targets.deny")
            poll(lambda: watched(agent) == 0, what="the rule at work", of=agent)
            used_ns = read_stat(pid).cpu_ns
            with contextlib.suppress(AssertionError):
                poll(lambda: abs(used_ns - sink.cpu_ns(service)) <= 2 * TICK_NS, of=agent)
            assert sink.cpu_ns(service) == pytest.approx(used_ns, abs=2 * TICK_NS)
            code, _ = agent.stop()

    assert 0 == code
    assert abs(used_ns - sink.cpu_ns(service)) <= 2 * TICK_NS


def test_a_wrong_file_leaves_the_agent_as_it_is(tmp_path, service):
    """Key, value and rule are logged, the refusal is counted, the old settings stay; a right file is taken later."""
    with Sink().serving() as sink, running(RunningAgent(tmp_path, service, sink.url)) as agent:
        agent.await_ready()
        for section, words in [
            ({"rate_hz": 0}, "sampling.rate_hz = 0: Expected `int` >= 1"),
            ({"rate_hz": 19, "rate_hx": 3}, "unknown setting sampling.rate_hx = 3; did you mean sampling.rate_hz?"),
        ]:
            agent.write(sampling=section)
            agent.reload(expecting=words)
        agent.config.write_text("{")
        agent.reload(expecting="is not valid YAML")
        agent.config.unlink()
        agent.reload(expecting="cannot read config file")

        poll(lambda: 4 == agent.metric('pyrometer_agent_reloads_total{outcome="refused"}'), what="a count", of=agent)
        del agent.tree["sampling"]["rate_hx"]
        agent.write(http={"address": "127.0.0.1:1"}, sampling={"rate_hz": 23})
        agent.reload(expecting="http.address changed: it is taken at the next start only")
        agent.await_line("settings reloaded: sampling.rate_hz")
        poll(lambda: 1 == agent.metric('pyrometer_agent_reloads_total{outcome="applied"}'), what="a count", of=agent)
        assert (0, True) == (agent.stop()[0], True)


def test_wall_mode_shows_who_waits(tmp_path, service):
    """After a reload profiles are of wall time, with the thread that only waits; the CPU time goes on beside them."""
    with Sink().serving() as sink, running(RunningAgent(tmp_path, service, sink.url)) as agent, workload(service):
        agent.await_ready()
        agent.write(sampling={"mode": "wall"})
        agent.reload(expecting="settings reloaded: sampling.mode")
        walls = poll(lambda: [one for one in sink.of(service) if one.sample_type == "wall"], what="wall time", of=agent)
        profile = walls[0]
        poll(lambda: _cpu_ns_after(sink, service, profile.start_unix_ns) > 0, what="CPU time", of=agent)
        assert 0 == agent.stop()[0]

    looks = profile.quality["pyrometer.window.looks"]
    waits = sum(row.count for row in profile.samples if "wait_for_ever" in {frame.function for frame in row.stack})
    assert looks > 0
    assert looks == pytest.approx(waits, abs=2)


def _cpu_ns_after(sink, service, start_unix_ns):
    profiles = [one for one in sink.of(service) if one.sample_type == "cpu" and one.start_unix_ns > start_unix_ns]
    return sum(sample.value for profile in profiles for sample in profile.samples)


def test_a_new_collector_is_taken_with_what_waits(tmp_path, service):
    """What could not be sent to the old address goes to the new one after a reload."""
    with Sink().serving() as sink, running(RunningAgent(tmp_path, service, "http://127.0.0.1:9")) as agent:
        agent.await_ready()
        with burning(service, 1.0):
            agent.await_line("cannot send to the collector")
            poll(lambda: agent.metric("pyrometer_agent_windows_total") >= 1, what="a window", of=agent)
            agent.write(export={"endpoint": sink.url})
            agent.reload(expecting="settings reloaded: export.endpoint")
            poll(lambda: sink.of(service), what="the windows from before", of=agent)


@pytest.mark.parametrize("collector", ["up", "down", "hanging"])
def test_sigterm_ends_it_in_time(tmp_path, service, collector):
    """Within 5 s and with 0: the collector there (the open window arrives), away, or silent."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(Sink().serving())
        # Its backlog takes connections that nobody will ever answer.
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        endpoint = {
            "up": sink.url,
            "down": "http://127.0.0.1:9",
            "hanging": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }[collector]
        agent = stack.enter_context(running(RunningAgent(tmp_path, service, endpoint)))
        agent.await_ready()
        pid = stack.enter_context(burning(service, 60.0))
        poll(lambda: agent.metric("pyrometer_agent_windows_total") >= 1, what="a window", of=agent)
        code, seconds = agent.stop()
        used_ns = read_stat(pid).cpu_ns

        assert 0 == code
        assert seconds < END_S
        if collector == "up":
            # The time between its last reading and ours is the tolerance.
            assert used_ns - sink.cpu_ns(service) <= (seconds + 1) * 1e9
            assert sink.of(service)


def test_systemd_is_told(tmp_path, service):
    """Ready only when it is, beats for the watchdog, reloading and ready again, stopping."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(60)
        environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "500000"}
        with running(RunningAgent(tmp_path, service, "http://127.0.0.1:9", **environment)) as agent:
            # A beat may come before.
            while not manager.recv(1000).startswith(b"READY=1"):
                pass
            assert get_json(f"{agent.url}/readyz")["ok"]
            while b"WATCHDOG=1" != manager.recv(1000):
                pass
            agent.process.send_signal(signal.SIGHUP)
            states = [b""]
            while not states[-1].startswith(b"READY=1"):
                states.append(manager.recv(1000))
            assert any(state.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for state in states)
            agent.process.send_signal(signal.SIGTERM)
            while b"STOPPING=1" != manager.recv(1000):
                pass
            assert 0 == agent.process.wait(60)


def test_a_loop_that_died_ends_the_agent(tmp_path, service):
    """A defect in the loop is no silent standstill: the agent ends with 1 and says what happened."""
    code = (
        "import sys; from agent.sampling import SamplingLoop as L; L.step = lambda self: 1 / 0; "
        "from pyrometer.cli import main; main(sys.argv[1:])"
    )
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-c", code, "agent", "run", "--http-address", "127.0.0.1:0"],
            stderr=output, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        ) as agent,
    ):  # fmt: skip
        assert 1 == agent.wait(60)
    assert "ZeroDivisionError" in log.read_text()
