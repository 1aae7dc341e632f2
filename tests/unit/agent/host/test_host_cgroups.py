"""systemd units and containers, read from made-up trees of cgroups version 2."""

import pytest
from host_tree import write_files

from agent.host.cgroups import CgroupReader, find_cgroup2
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
    return CgroupReader(metrics or SelfMetrics(), cgroups_max=cgroups_max, root=str(root))


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


def test_without_version_2_or_with_a_limit_of_none_nothing_is_read(tmp_path):
    """Version 1 alone, or metrics of units turned off."""
    write_files(tmp_path / "a.service", {"cpu.stat": CPU.format(1)})

    assert list(a_reader("").read()) == []
    assert list(a_reader(tmp_path / "absent").read()) == []
    assert list(a_reader(tmp_path, 0).read()) == []


def test_folders_of_any_depth_and_name_do_no_harm(tmp_path):
    """A user may nest groups as deep as they like and call them anything; the search is bounded."""
    deep = "/".join(["d"] * 40)
    odd = b"\xff.service".decode("utf-8", "surrogateescape")
    write_files(tmp_path, {f"{deep}/a.service/cpu.stat": CPU.format(1), f"{odd}/cpu.stat": CPU.format(2)})

    assert paths(a_reader(tmp_path).read()) == {f"/{odd}"}


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup"),
        (
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n",
            "/sys/fs/cgroup/unified",
        ),
        ("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", ""),
        ("nonsense - cgroup2 x\n", ""),
        ("", ""),
    ],
)
def test_the_hierarchy_is_found_where_it_is_mounted(tmp_path, mounts, expected):
    """Alone, beside version 1, or not at all."""
    write_files(tmp_path, {"self/mountinfo": mounts})

    assert find_cgroup2(str(tmp_path)) == expected


def test_this_machine_is_read_without_complaint():
    """Whatever is mounted here."""
    assert all(reading.metric in semconv.METRICS for reading in CgroupReader(SelfMetrics(), cgroups_max=64).read())
