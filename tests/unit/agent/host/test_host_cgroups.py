"""systemd units and containers, read from made-up trees of cgroups, and from this machine's."""

import os
import sys
from pathlib import Path

import pytest
from agent_processes import BUSY, wait_until
from host_tree import write_files

from agent.host.cgroup_files import LegacyFiles, UnifiedFiles, find_group_files
from agent.host.cgroups import CgroupReader
from agent.procfs import TICKS_PER_S
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

ID = "0123456789abcdef" * 4
CPU = "usage_usec {0}\nuser_usec {0}\nsystem_usec 0\n"
LIMITED = CPU + "nr_periods 10\nnr_throttled 4\nthrottled_usec 2500000\n"


def table(readings) -> dict[tuple[str, str, str], float]:
    """Return the readings by path, name and the last label where there is one beside path and container."""
    found = {}
    for reading in readings:
        labels = dict(reading.labels)
        path = labels.pop(semconv.PROCESS_LINUX_CGROUP)
        labels.pop(semconv.CONTAINER_ID, None)
        found[path, reading.metric, *labels.values()] = reading.value
    return found


def paths(readings) -> set[str]:
    return {reading.labels[semconv.PROCESS_LINUX_CGROUP] for reading in readings}


def a_reader(root, cgroups_max=64, metrics=None) -> CgroupReader:
    return CgroupReader(metrics or SelfMetrics(), UnifiedFiles(str(root)), cgroups_max=cgroups_max)


def test_a_service_with_limits(tmp_path):
    """CPU by mode, throttling, what it may use, what it uses, and each kind of memory event."""
    service = "system.slice/shop.service"
    write_files(
        tmp_path / service,
        {
            "cpu.stat": LIMITED.format(3_000_000),
            "cpu.max": "50000 100000\n",
            "memory.current": "1000\n",
            "memory.max": "4000\n",
            "memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\nunknown 5\n",
        },
    )

    assert table(a_reader(tmp_path).read()) == {
        (f"/{service}", "linux.cgroup.cpu.time", "user"): 3.0,
        (f"/{service}", "linux.cgroup.cpu.time", "system"): 0.0,
        (f"/{service}", "linux.cgroup.cpu.periods"): 10,
        (f"/{service}", "linux.cgroup.cpu.throttled_periods"): 4,
        (f"/{service}", "linux.cgroup.cpu.throttled_time"): 2.5,
        (f"/{service}", "linux.cgroup.cpu.limit"): 0.5,
        (f"/{service}", "linux.cgroup.memory.usage"): 1000,
        (f"/{service}", "linux.cgroup.memory.limit"): 4000,
        (f"/{service}", "linux.cgroup.memory.events", "low"): 0,
        (f"/{service}", "linux.cgroup.memory.events", "high"): 0,
        (f"/{service}", "linux.cgroup.memory.events", "max"): 9,
        (f"/{service}", "linux.cgroup.memory.events", "oom"): 1,
        (f"/{service}", "linux.cgroup.memory.events", "oom_kill"): 1,
    }


def test_a_service_without_limits_has_none(tmp_path):
    """The word max is no number, and a file a controller would have is absent without it."""
    write_files(tmp_path / "a.service", {"cpu.stat": CPU.format(1), "cpu.max": "max 100000", "memory.max": "max"})

    assert {reading.metric for reading in a_reader(tmp_path).read()} == {semconv.CGROUP_CPU_TIME}


def test_units_and_containers_are_found_wherever_they_lie_and_once(tmp_path):
    """Slices are not reported, nor is what a unit or container divides itself into."""
    wanted = {
        "/system.slice/shop.service",
        f"/system.slice/docker-{ID}.scope",
        f"/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service",
    }
    others = {"/init.scope", "/system.slice/shop.service/workers", f"/system.slice/docker-{ID}.scope/init.scope/inner"}
    for path in wanted | others:
        write_files(tmp_path, {f"{path[1:]}/cpu.stat": CPU.format(1)})
    readings = list(a_reader(tmp_path).read())

    assert paths(readings) == wanted
    assert {
        reading.labels[semconv.CONTAINER_ID]
        for reading in readings
        if "scope" in reading.labels[semconv.PROCESS_LINUX_CGROUP]
    } == {ID}


def test_the_busiest_since_the_last_look_are_reported(tmp_path):
    """A limit is kept, by what was used lately and not ever, and those beyond it are counted."""
    for name, used in (("old", 90), ("new", 10), ("idle", 5)):
        write_files(tmp_path / f"{name}.service", {"cpu.stat": CPU.format(used)})
    metrics = SelfMetrics()
    reader = a_reader(tmp_path, 1, metrics)
    first = paths(reader.read())
    write_files(tmp_path / "new.service", {"cpu.stat": CPU.format(50)})

    assert first == {"/old.service"}
    assert paths(reader.read()) == {"/new.service"}
    assert metrics.value(semconv.AGENT_CGROUPS_IGNORED) == 2


def test_without_cgroups_or_with_a_limit_of_none_nothing_is_read(tmp_path):
    """Nothing mounted, a mount that went away, or metrics of units turned off."""
    write_files(tmp_path / "a.service", {"cpu.stat": CPU.format(1)})

    assert list(CgroupReader(SelfMetrics(), None, cgroups_max=64).read()) == []
    assert list(a_reader(tmp_path / "absent").read()) == []
    assert list(a_reader(tmp_path, 0).read()) == []


def test_folders_of_any_depth_and_name_do_no_harm(tmp_path):
    """A user may nest groups as deep as they like and call them anything; the search is bounded."""
    deep = "/".join(["d"] * 40)
    odd = b"\xff.service".decode("utf-8", "surrogateescape")
    write_files(tmp_path, {f"{deep}/a.service/cpu.stat": CPU.format(1), f"{odd}/cpu.stat": CPU.format(2)})

    assert paths(a_reader(tmp_path).read()) == {f"/{odd}"}


def a_reader_of_version_1(root) -> CgroupReader:
    mounts = {"cpu": f"{root}/cpu,cpuacct", "cpuacct": f"{root}/cpu,cpuacct", "memory": f"{root}/memory"}
    return CgroupReader(SelfMetrics(), LegacyFiles(mounts, f"{root}/unified"), cgroups_max=64)


def test_version_1_tells_the_same(tmp_path):
    """Each controller has a tree of its own, and its files other names and units; what is told is the same."""
    write_files(
        tmp_path / "cpu,cpuacct/docker" / ID,
        {
            "cpuacct.usage": "3010000000\n",
            "cpuacct.stat": "user 200\nsystem 100\n",
            "cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000\n",
            "cpu.cfs_quota_us": "50000\n",
            "cpu.cfs_period_us": "100000\n",
        },
    )
    write_files(
        tmp_path / "memory/docker" / ID,
        {
            "memory.usage_in_bytes": "1000\n",
            "memory.limit_in_bytes": "4000\n",
            "memory.failcnt": "9\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        },
    )
    path = f"/docker/{ID}"

    assert table(a_reader_of_version_1(tmp_path).read()) == {
        (path, "linux.cgroup.cpu.time", "user"): 200 / TICKS_PER_S,
        (path, "linux.cgroup.cpu.time", "system"): 100 / TICKS_PER_S,
        (path, "linux.cgroup.cpu.periods"): 10,
        (path, "linux.cgroup.cpu.throttled_periods"): 4,
        (path, "linux.cgroup.cpu.throttled_time"): 2.5,
        (path, "linux.cgroup.cpu.limit"): 0.5,
        (path, "linux.cgroup.memory.usage"): 1000,
        (path, "linux.cgroup.memory.limit"): 4000,
        (path, "linux.cgroup.memory.events", "max"): 9,
        (path, "linux.cgroup.memory.events", "oom_kill"): 1,
    }


def test_a_unit_that_version_1_accounts_in_part_has_that_part(tmp_path):
    """No limit is none, and CPU time is that of version 2 where only that has the unit."""
    unlimited = {"memory.usage_in_bytes": "1000\n", "memory.limit_in_bytes": "9223372036854771712\n"}
    write_files(tmp_path / "memory/system.slice/shop.service", unlimited)
    write_files(tmp_path / "unified/system.slice/shop.service", {"cpu.stat": CPU.format(5_000_000)})
    write_files(tmp_path / "cpu,cpuacct/system.slice", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"})

    assert table(a_reader_of_version_1(tmp_path).read()) == {
        ("/system.slice/shop.service", "linux.cgroup.cpu.time", "user"): 5.0,
        ("/system.slice/shop.service", "linux.cgroup.cpu.time", "system"): 0.0,
        ("/system.slice/shop.service", "linux.cgroup.memory.usage"): 1000,
    }


@pytest.fixture
def unit_of_version_1():
    """A group in this kernel's own hierarchies of version 1; its name, and its folders."""
    files = find_group_files()
    name = f"pyrometer-test-{os.getpid()}.service"
    folders = [Path(root) / name for root in files.roots] if isinstance(files, LegacyFiles) else []
    try:
        for folder in folders:
            folder.mkdir()
    except OSError:
        folders = []
    if not folders:
        pytest.skip("groups of version 1 cannot be made here")
    yield name, folders
    for folder in folders:
        wait_until(lambda folder=folder: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


def test_the_kernel_s_own_accounts_of_version_1(unit_of_version_1, start_process):
    """A process that works in a group has its CPU time and its memory there."""
    name, folders = unit_of_version_1
    process = start_process("/bin/sh", "-c", 'read line; exec "$0" -c "$1"', sys.executable, BUSY)
    for folder in folders:
        (folder / "cgroup.procs").write_text(str(process.pid))
    process.stdin.write(b"\n")
    process.stdin.flush()
    reader = CgroupReader(SelfMetrics(), find_group_files(), cgroups_max=10_000)

    def numbers():
        return {key[1:]: value for key, value in table(reader.read()).items() if key[0] == f"/{name}"}

    wait_until(lambda: numbers()["linux.cgroup.cpu.time", "user"] > 0.1)
    assert numbers()["linux.cgroup.memory.usage",] > 0
    process.kill()
    process.wait()


CGROUP = "/sys/fs/cgroup"
V2 = f"30 23 0:26 / {CGROUP} rw - cgroup2 cgroup2 rw\n"
HYBRID_V2 = f"31 23 0:28 / {CGROUP} rw - tmpfs tmpfs rw\n41 31 0:38 / {CGROUP}/unified rw - cgroup2 c rw\n"
SYSTEMD = f"33 31 0:30 / {CGROUP}/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
V1 = (
    f"32 31 0:29 / {CGROUP}/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    f"34 31 0:31 / {CGROUP}/memory rw - cgroup cgroup rw,memory\n"
)


@pytest.mark.parametrize(
    ("mounts", "roots"),
    [
        (V2, [""]),
        (HYBRID_V2 + SYSTEMD, ["/unified"]),
        (V1 + SYSTEMD, ["/cpu,cpuacct", "/memory"]),
        (HYBRID_V2 + V1 + SYSTEMD, ["/cpu,cpuacct", "/memory", "/unified"]),
        (SYSTEMD, None),
        ("nonsense - cgroup2 x\n", None),
        ("", None),
    ],
)
def test_the_hierarchies_are_found_where_they_are_mounted(tmp_path, mounts, roots):
    """Version 2 alone, beside a version 1 without controllers, version 1 alone or beside version 2, or none at all."""
    write_files(tmp_path, {"self/mountinfo": mounts})
    found = find_group_files(str(tmp_path))

    assert (None if found is None else list(found.roots)) == (
        None if roots is None else [CGROUP + root for root in roots]
    )


def test_this_machine_is_read_without_complaint():
    """Whatever is mounted here."""
    reader = CgroupReader(SelfMetrics(), find_group_files(), cgroups_max=64)

    assert all(reading.metric in semconv.METRICS for reading in reader.read())
