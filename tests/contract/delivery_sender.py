"""
An agent's sender as a program of its own, to be killed: offers numbered batches, and prints each number that is safe.

    python -m tests.contract.delivery_sender URL SPOOL FIRST      numbers from FIRST on, until it is killed
    python -m tests.contract.delivery_sender URL SPOOL            what an earlier one left, then ends
"""

import itertools
import sys
import time
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from agent.destination import Signal, resolve_destination
from agent.export import Sender
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings, SpoolSettings
from agent.spool import Spool
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample

PAUSE_S = 0.03
STALLED_S = 60


def numbered_profile(number: int) -> bytes:
    sample = Sample(stack=(Frame("main", "app.py", 1), Frame("hot", "app.py", 2)), count=1, value=number)
    profile = Profile(
        samples=(sample,),
        start_unix_ns=time.time_ns(),
        duration_ns=10**10,
        period_ns=5 * 10**7,
        attributes={"service.name": "shop", "host.name": "h", "process.pid": 7},
    )
    return profiles_to_otlp([profile])


def numbered_metric(number: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="number")
    metric.gauge.data_points.add(time_unix_nano=time.time_ns(), as_double=number)
    return request.SerializeToString()


def open_sender(url: str, spool_directory: Path) -> tuple[Sender, Spool]:
    """A sender that writes each batch to the disk before it takes it."""
    settings = ExportSettings(
        endpoint=url,
        spool=SpoolSettings(commit_s=0.0),
        retry_s=0.1,
        retry_max_s=0.3,
        timeout_s=5.0,
        batches_per_s_max=1000.0,
    )
    metrics = SelfMetrics()
    spool = Spool(settings, spool_directory, metrics)
    return Sender(settings, resolve_destination(settings, {}), spool, metrics), spool


def offer_both(sender: Sender, number: int) -> None:
    assert sender.offer(Signal.PROFILES, numbered_profile(number))
    assert sender.offer(Signal.METRICS, numbered_metric(number))


def main() -> None:
    url, directory, *first = sys.argv[1:]
    sender, spool = open_sender(url, Path(directory))
    sender.start()
    for number in itertools.count(int(first[0])) if first else ():
        offer_both(sender, number)
        print(number, flush=True)  # noqa: T201
        time.sleep(PAUSE_S)
    least, deadline = spool.waiting, time.monotonic() + STALLED_S
    while waiting := spool.waiting:
        if waiting < least:
            least, deadline = waiting, time.monotonic() + STALLED_S
        assert time.monotonic() < deadline, f"{waiting} batches wait, and none was taken for {STALLED_S} s"
        time.sleep(0.2)
    sender.close(1.0)


if __name__ == "__main__":
    main()
