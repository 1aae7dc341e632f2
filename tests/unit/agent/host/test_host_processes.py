"""Watched processes one by one: real ones, and what is made up of them."""

import os
import sys

import pytest
from agent_processes import wait_until
from host_tree import write_files

from agent.host.processes import ProcessReader
from agent.procfs import TICKS_PER_S, read_stat
from agent.python_process import PythonProcess
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

THREADS = """
import threading, time
def spin():
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
while True:
    threads = [threading.Thread(target=spin) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def a_process(pid: int) -> PythonProcess:
    stat = read_stat(pid)
    return PythonProcess(Target(pid, stat.start_ticks), {"service.name": f"s{pid}"}, stat, -1)


def a_reader(*processes, metrics=None, processes_max=10, proc="/proc") -> ProcessReader:
    return ProcessReader(lambda: processes, metrics or SelfMetrics(), processes_max=processes_max, proc=str(proc))


def table(readings) -> dict[tuple[str, ...], float]:
    return {(reading.metric, *reading.labels.values()): reading.value for reading in readings}


def test_a_real_process_has_every_number(start_process):
    """A process that works: it has run, has memory, threads, files, faults and switches."""
    program = "import time\nprint(sum(range(5_000_000)), flush=True)\ntime.sleep(60)"
    process = start_process(sys.executable, "-c", program)
    process.stdout.readline()
    wait_until(lambda: read_stat(process.pid).state == "S")
    (read,) = a_reader(a_process(process.pid)).read()
    numbers = table(read.readings)

    assert {name for name, *_ in numbers} == {metric.name for metric in semconv.PROCESS_METRICS}
    assert read.attributes == {"service.name": f"s{process.pid}"}
    assert numbers["process.cpu.time", "user"] > 0
    assert 1_000_000 < numbers["process.memory.usage",] < numbers["process.memory.virtual",]
    assert numbers["process.thread.count",] >= 1
    assert numbers["process.unix.file_descriptor.count",] >= 3
    assert numbers["process.paging.faults", "minor"] > 0
    assert numbers["process.context_switches", "voluntary"] > 0
    assert 0 < numbers["process.uptime",] < 86_400


def test_switches_of_threads_that_ended_are_kept(start_process):
    """A counter never falls, though each thread takes its own with it."""
    process = a_process(start_process(sys.executable, "-c", THREADS).pid)
    reader = a_reader(process)
    seen: list[float] = []

    def read():
        (one,) = reader.read()
        numbers = table(one.readings)
        seen.append(
            numbers["process.context_switches", "voluntary"] + numbers["process.context_switches", "involuntary"]
        )
        return seen[-1] > 100

    wait_until(read)
    assert seen == sorted(seen)


def test_the_busiest_since_the_last_look_are_read(start_process):
    """The limit is kept, and those beyond it are counted."""
    idle, busy = (start_process(sys.executable, "-c", code) for code in ("input()", "while True: pass"))
    processes = [a_process(idle.pid), a_process(busy.pid)]
    metrics = SelfMetrics()
    reader = a_reader(*processes, metrics=metrics, processes_max=1)
    list(reader.read())
    wait_until(lambda: read_stat(busy.pid).cpu_ns > processes[1].stat.cpu_ns + 100_000_000)
    processes[1].stat = read_stat(busy.pid)
    (read,) = reader.read()

    assert read.attributes == {"service.name": f"s{busy.pid}"}
    assert metrics.value(semconv.AGENT_PROCESSES_UNREPORTED) == 1


def test_a_pid_that_is_another_process_now_is_not_read(tmp_path):
    """The start time tells; a process that has ended has no file at all."""
    this = a_process(os.getpid())
    other = PythonProcess(Target(os.getpid(), this.target.start_ticks + 1), {}, this.stat, -1)
    gone = PythonProcess(Target(4_000_000, 1), {}, this.stat, -1)

    assert list(a_reader(other, gone).read()) == []


@pytest.mark.parametrize("status", ["", "voluntary_ctxt_switches:\tx\nnonvoluntary_ctxt_switches:\n"])
def test_what_a_process_hides_is_left_out(tmp_path, status):
    """Without the right to look at files, disk and threads, the stat file's numbers remain."""
    this = a_process(os.getpid())
    fields = ["S", *["0"] * 10, "150", "50", "0", "0", "0", "0", "2", "0", str(this.target.start_ticks), "4096", "1"]
    text = f"{os.getpid()} (x) {' '.join(fields + ['0'] * 20)}"
    write_files(tmp_path, {f"{os.getpid()}/stat": text, f"{os.getpid()}/task/1/status": status})
    (read,) = a_reader(this, proc=tmp_path).read()
    numbers = table(read.readings)

    assert numbers["process.cpu.time", "user"] == 150 / TICKS_PER_S
    assert numbers["process.thread.count",] == 2
    assert not {name for name, *_ in numbers} & {semconv.PROCESS_DISK_IO, semconv.PROCESS_CONTEXT_SWITCHES}
