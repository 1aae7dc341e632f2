"""The round of scans: every service, whatever becomes of another, and an end when the collector stops."""

import threading

import pytest

from collector.metrics import CollectorMetrics
from collector.watching import StoppedError, Watched, Watcher, WatchSettings, stop_if_asked
from pyrometer.errors import PyrometerError

TIMEOUT_S = 20


def opened(*, is_open=True):
    event = threading.Event()
    if is_open:
        event.set()
    return event


class Scans:
    """Notes what is scanned, and ends waiting once the last service was."""

    def __init__(self, names, failing=()):
        self.names, self.failing = names, failing
        self.seen, self.done = [], threading.Event()

    def scan(self, name):
        self.seen.append(name)
        if len(self.seen) > len(self.names):
            self.done.set()
        if name in self.failing:
            raise self.failing[name]

    def watched(self, *, is_open=True):
        return Watched(opened=opened(is_open=is_open), services=lambda: self.names, scan=self.scan)


def watcher(tenants, metrics, interval_s=0.05):
    return Watcher(tenants, WatchSettings(interval_s=interval_s), metrics, threading.Event())


def count(metrics, result):
    return metrics.registry.get_sample_value("pyrometer_collector_scans_total", {"result": result}) or 0


def test_every_service_is_scanned_again_and_again_whatever_fails():
    """A store that refuses and a defect of ours are counted and told; neither ends the round."""
    metrics = CollectorMetrics()
    scans = Scans(["a", "b\x1b[31m", "c"], {"a": PyrometerError("refused"), "b\x1b[31m": ValueError("defect")})
    with watcher({"default": scans.watched()}, metrics):
        assert scans.done.wait(TIMEOUT_S)
    assert scans.seen[:4] == ["a", "b\x1b[31m", "c", "a"]
    assert count(metrics, "failed") >= 2
    assert count(metrics, "done") >= 1


def test_a_tenant_whose_database_is_away_is_left_alone():
    """The others are scanned meanwhile, also where the services of one cannot be listed."""
    away, there = Scans(["x"]), Scans(["y"])

    def refuse():
        raise PyrometerError("away")

    broken = Watched(opened=opened(), services=refuse, scan=away.scan)
    with watcher({"a": away.watched(is_open=False), "b": broken, "c": there.watched()}, CollectorMetrics()):
        assert there.done.wait(TIMEOUT_S)
    assert away.seen == []


def test_a_scan_is_left_between_two_queries_when_the_collector_stops():
    """It is no failure; and the block ends with the thread."""
    stopping, began = threading.Event(), threading.Event()
    metrics = CollectorMetrics()
    observe = stop_if_asked(stopping)

    def scan(_name):
        observe("first", 0.1)
        began.set()
        stopping.wait(TIMEOUT_S)
        with pytest.raises(StoppedError):
            observe("second", 0.1)
        raise StoppedError

    watched = Watched(opened=opened(), services=lambda: ["a", "b"], scan=scan)
    with Watcher({"default": watched}, WatchSettings(interval_s=0.05), metrics, stopping):
        assert began.wait(TIMEOUT_S)
    assert not [thread for thread in threading.enumerate() if thread.name == "watcher"]
    assert (count(metrics, "failed"), count(metrics, "done")) == (0, 0)


def test_an_interval_of_0_is_never():
    """No thread is started."""
    with watcher({"default": Scans(["a"]).watched()}, CollectorMetrics(), interval_s=0):
        assert not [thread for thread in threading.enumerate() if thread.name == "watcher"]
