"""What is read of /proc directly, on made-up trees: page faults, kills, connections, pressure, processes."""

import os

import pytest
from agent_processes import wait_until
from host_tree import write_files

from agent.host.cpu import CpuReader
from agent.host.disk import DiskReader
from agent.host.memory import read_memory, read_swap, read_vmstat
from agent.host.network import read_connections, read_interfaces
from agent.host.pressure import read_pressure
from agent.host.readings import parse_counters
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

VMSTAT = "nr_free_pages 5\npgfault 100\npgmajfault 7\npswpin 3\npswpout 4\noom_kill 2\nnot a number\n"
SNMP = "Ip: Forwarding\nIp: 1\nTcp: RtoMin ActiveOpens CurrEstab\nTcp: -1 9 6\nUdp: InDatagrams\nUdp: 4\n"
SOCKSTAT = "sockets: used 17\nTCP: inuse 8 orphan 0 tw 5 alloc 9 mem 1\nUDP: inuse 2 mem 0\nFRAG: inuse 0 memory 0\n"
PSI = "some avg10=2.91 avg60=1.58 avg300=0.66 total=6425583\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n"


def table(readings) -> dict[tuple[str, ...], float]:
    """Return the readings by name and values of labels."""
    return {(reading.metric, *reading.labels.values()): reading.value for reading in readings}


def test_page_faults_swapping_and_kills(tmp_path):
    """Minor faults are those that are not major; the file counts all together."""
    write_files(tmp_path, {"vmstat": VMSTAT})

    assert table(read_vmstat(str(tmp_path))) == {
        ("system.paging.faults", "major"): 7,
        ("system.paging.faults", "minor"): 93,
        ("system.paging.operations", "in"): 3,
        ("system.paging.operations", "out"): 4,
        ("system.memory.linux.oom_kills",): 2,
    }


def test_connections_are_counted_without_listing_sockets(tmp_path):
    """Kernel counters say how many are established or wait for their end; both versions of IP."""
    write_files(tmp_path, {"net/snmp": SNMP, "net/sockstat": SOCKSTAT, "net/sockstat6": "UDP6: inuse 1\n"})

    assert table(read_connections(str(tmp_path))) == {
        ("system.network.connection.count", "tcp", "established"): 6,
        ("system.network.connection.count", "tcp", "time_wait"): 5,
        ("system.network.connection.count", "udp"): 3,
    }


def test_pressure_by_resource(tmp_path):
    """Microseconds become seconds; a resource the kernel has no file of is left out."""
    write_files(tmp_path, {"pressure/cpu": PSI, "pressure/memory": "some total=12"})

    assert table(read_pressure(str(tmp_path))) == {
        ("system.linux.pressure.time", "cpu", "some"): 6.425583,
        ("system.linux.pressure.time", "cpu", "full"): 1.0,
        ("system.linux.pressure.time", "memory", "some"): 0.000012,
    }


def test_processes_started_are_counted_however_short_they_lived(tmp_path):
    """The kernel's own count, beside those there are and those there can be."""
    write_files(
        tmp_path, {"stat": "cpu 1\nprocesses 4711\n", "sys/kernel/pid_max": "99\n", "1/stat": "", "self/stat": ""}
    )

    assert table(CpuReader(proc=str(tmp_path)).read_processes()) == {
        ("system.process.count",): 1,
        ("system.process.limit",): 99,
        ("system.process.created",): 4711,
    }


@pytest.mark.parametrize(
    "text", [None, "", "garbage", "some total=\nfull", "Tcp: CurrEstab\n", "Tcp: a\nTcp: CurrEstab\n"]
)
def test_files_that_are_absent_or_odd_yield_nothing(tmp_path, text):
    """A kernel without them, or with others, is no fault."""
    if text is not None:
        names = ("vmstat", "net/snmp", "net/sockstat", "net/sockstat6", "pressure/cpu", "pressure/io")
        write_files(tmp_path, dict.fromkeys(names, text))

    for read in (read_vmstat, read_connections, read_pressure):
        assert list(read(str(tmp_path))) == []


def test_counters_are_lines_of_a_name_and_a_number():
    """Everything else is left out."""
    assert parse_counters(b"a 1\nb -2\nc x\nd 3 4\n\ne\nf 5") == {"a": 1, "f": 5}


def test_devices_beyond_the_limit_are_counted():
    """No more devices of a kind are reported than allowed, and what is left out is counted."""
    metrics = SelfMetrics()

    def interfaces(devices_max, counted):
        readings = read_interfaces(counted, devices_max=devices_max)
        return {reading.labels[semconv.NETWORK_INTERFACE_NAME] for reading in readings}

    total = len(interfaces(1000, SelfMetrics()))
    assert len(interfaces(1, metrics)) == min(1, total)
    assert metrics.value(semconv.AGENT_DEVICES_IGNORED) == max(0, total - 1)


def test_utilization_of_a_mere_moment_is_left_out():
    """Two looks at once give no share, and do not spoil the next."""
    names = {reading.metric for reading in CpuReader().read()}

    assert semconv.SYSTEM_CPU_TIME in names
    assert semconv.SYSTEM_CPU_UTILIZATION not in names


def test_utilization_sums_to_one():
    """After half a second of all CPUs' time there are shares, and they are all there is."""
    reader = CpuReader()
    shares: list[float] = []

    def read():
        shares[:] = [reading.value for reading in reader.read() if reading.metric == semconv.SYSTEM_CPU_UTILIZATION]
        return shares

    wait_until(read)
    assert sum(shares) == pytest.approx(1.0)


def test_this_machine_has_memory_and_perhaps_disks():
    """States of memory sum to its size; a disk's times and counts are not negative."""
    memory = table(read_memory())
    states = sum(value for key, value in memory.items() if key[0] == semconv.SYSTEM_MEMORY_USAGE)
    disks = DiskReader(SelfMetrics(), devices_max=64)

    assert states == pytest.approx(memory[semconv.SYSTEM_MEMORY_LIMIT,], rel=0.01)
    assert memory[semconv.SYSTEM_MEMORY_LIMIT,] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert {key[1] for key in table(read_swap()) if key[0] == semconv.SYSTEM_PAGING_USAGE} == {"used", "free"}
    assert all(reading.value >= 0 for reading in [*disks.read(), *disks.read_filesystems()])
