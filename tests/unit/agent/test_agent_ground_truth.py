"""CPU time goes to the code that used it, measured against what real programs say about themselves."""

import json
import threading
import time

import pytest
from agent_processes import PYTHON

from agent.accounting import Account, Moment
from agent.procfs import read_stat
from agent.python_process import open_process
from agent.reader.engine import find_target
from agent.reader.pace import Pace
from agent.reader.remote.engine import RemoteEngine
from agent.session import Session, take_window

pytestmark = pytest.mark.alone

HEAD = """
import json, selectors, sys, threading, time
from time import thread_time_ns as now
truth = {}
lock = threading.Lock()
running = True
def note(name, began):
    truth[name] = truth.get(name, 0) + now() - began
def burn(rounds):
    total = 0
    for number in range(rounds):
        total += number * number
    return total
"""
TAIL = """
threads = [threading.Thread(target=each, daemon=True) for each in THREADS]
for thread in threads:
    thread.start()
print('up', flush=True)
sys.stdin.readline()
running = False
for thread in threads:
    thread.join()
print(json.dumps(truth), flush=True)
"""
# Two threads that fight for the GIL, a third that takes it from them a hundred times a second for a moment.
CONVOY = """
def dear():
    while running:
        began = now(); burn(9000); note('dear', began)
def cheap():
    while running:
        began = now(); burn(3000); note('cheap', began)
        time.sleep(0.002)
def wakes_in_condition():
    condition = threading.Condition()
    while running:
        began = now()
        with condition:
            condition.wait(0.01)
        note('wakes_in_condition', began)
THREADS = [dear, cheap, wakes_in_condition]
"""
# Waiters of several kinds beside one thread that works part of the time: what waits must not get what works.
WAITERS = """
def works():
    while running:
        began = now(); burn(20000); note('works', began)
        time.sleep(0.003)
def waits_in_selector():
    with selectors.DefaultSelector() as selector:
        while running:
            began = now(); selector.select(0.01); note('waits_in_selector', began)
def waits_in_condition():
    condition = threading.Condition()
    while running:
        began = now()
        with condition:
            condition.wait(0.01)
        note('waits_in_condition', began)
THREADS = [works, waits_in_selector, waits_in_condition]
"""
# One thread whose work is uneven, with a wait in each round: within a thread no clock can help.
ONE_THREAD = """
def long_part():
    began = now(); burn(30000); note('long_part', began)
def short_part():
    began = now(); burn(10000); note('short_part', began)
def waits():
    began = now(); time.sleep(0.004); note('waits', began)
def rounds():
    while running:
        long_part(); waits(); short_part(); waits()
THREADS = [rounds]
"""


def watch(
    process, samples_min: int, seconds_max: float, window_s: float, off_cpu_every: int
) -> tuple[dict[str, int], int]:
    """Return the CPU nanoseconds of each function, as the agent accounts them, and how many samples that rests on."""
    stat = read_stat(process.pid)
    watched = open_process(stat, {})
    now = Moment(time.monotonic_ns(), time.time_ns())
    account = Account(watched, start=now, start_cpu_ns=watched.stat.cpu_ns, carry_s_max=60.0, clocks=None)
    session = Session(watched, account)
    assert find_target(process.pid) == watched.target
    engine = RemoteEngine(pace=Pace(100.0), window_s=window_s, off_cpu_every=off_cpu_every)
    used: dict[str, int] = {}
    samples = 0
    deadline = time.monotonic() + seconds_max
    while samples < samples_min and time.monotonic() < deadline:
        account.begin(Moment(time.monotonic_ns(), time.time_ns()))
        done = take_window(session, engine, threading.Semaphore(1), window_s)
        watched.refresh()
        profile = account.settle(Moment(time.monotonic_ns(), time.time_ns()), done.outcome)
        for sample in profile.samples if profile else ():
            samples += sample.count
            for name in {frame.function for frame in sample.stack}:
                used[name] = used.get(name, 0) + sample.value
    session.close()
    watched.close()
    return used, samples


@pytest.mark.parametrize(
    ("program", "off_cpu_every"),
    [(CONVOY, 1), (WAITERS, 1), (ONE_THREAD, 1), (ONE_THREAD, 8)],
    ids=["convoy", "waiters", "one thread", "one thread, few looks"],
)
def test_cpu_time_goes_to_the_code_that_used_it(start_process, program, off_cpu_every):
    """Each function's share of the CPU time is what the program measured itself; waiting gets what waking costs."""
    process = start_process(PYTHON, "-c", HEAD + program + TAIL)
    process.stdout.readline()
    used, samples = watch(process, 300, 25.0, 2.0, off_cpu_every)
    process.stdin.write(b"\n")
    process.stdin.flush()
    truth = json.loads(process.stdout.readline())
    expected = {name: value / sum(truth.values()) for name, value in truth.items()}
    found = {name: used.get(name, 0) / sum(used.get(each, 0) for each in truth) for name in truth}

    # Four standard errors of the samples, and something for what the program's own clocks do not cover.
    assert samples > 0
    assert found == pytest.approx(expected, abs=0.03 + 2 / samples**0.5)
