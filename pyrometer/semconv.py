"""
Names of the OpenTelemetry semantic conventions that Pyrometer writes and reads, and its own beside them.

Each is a constant, so that writer and reader cannot drift apart. `METRICS` holds every metric the agent emits, with
its unit, what it is and its attributes. The collector's host page reads these names.
Source: OpenTelemetry semantic conventions v1.44, docs/system, docs/resource, docs/registry/attributes.
"""

from dataclasses import dataclass
from typing import Final, Literal

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

# Resource attributes.
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_NAMESPACE: Final = "service.namespace"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
HOST_NAME: Final = "host.name"
HOST_ID: Final = "host.id"
HOST_ARCH: Final = "host.arch"
HOST_TYPE: Final = "host.type"
CLOUD_PROVIDER: Final = "cloud.provider"
CLOUD_REGION: Final = "cloud.region"
OS_TYPE: Final = "os.type"
OS_NAME: Final = "os.name"
OS_VERSION: Final = "os.version"
OS_DESCRIPTION: Final = "os.description"
PROCESS_PID: Final = "process.pid"
PROCESS_CREATION_TIME: Final = "process.creation.time"
PROCESS_EXECUTABLE_NAME: Final = "process.executable.name"
PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
CONTAINER_ID: Final = "container.id"
CONTAINER_IMAGE_NAME: Final = "container.image.name"
K8S_POD_UID: Final = "k8s.pod.uid"
VCS_REF_HEAD_REVISION: Final = "vcs.ref.head.revision"
VCS_REF_HEAD_NAME: Final = "vcs.ref.head.name"
# Ours, as the conventions have none: the systemd service, and main, worker or helper.
SYSTEMD_UNIT: Final = "pyrometer.systemd.unit"
PROCESS_ROLE: Final = "pyrometer.process.role"
TELEMETRY_SDK_NAME: Final = "telemetry.sdk.name"
TELEMETRY_SDK_LANGUAGE: Final = "telemetry.sdk.language"
TELEMETRY_SDK_VERSION: Final = "telemetry.sdk.version"

# The value of service.name under which an agent bills what no watched process of its host used.
HOST_SERVICE: Final = "host"

# Attributes of samples and frames.
THREAD_ID: Final = "thread.id"
THREAD_NAME: Final = "thread.name"
PROFILE_FRAME_TYPE: Final = "profile.frame.type"

# Attributes of metric points.
CPU_MODE: Final = "cpu.mode"
SYSTEM_MEMORY_STATE: Final = "system.memory.state"
SYSTEM_PAGING_STATE: Final = "system.paging.state"
SYSTEM_PAGING_FAULT_TYPE: Final = "system.paging.fault.type"
SYSTEM_PAGING_DIRECTION: Final = "system.paging.direction"
SYSTEM_DEVICE: Final = "system.device"
DISK_IO_DIRECTION: Final = "disk.io.direction"
SYSTEM_FILESYSTEM_MOUNTPOINT: Final = "system.filesystem.mountpoint"
SYSTEM_FILESYSTEM_TYPE: Final = "system.filesystem.type"
SYSTEM_FILESYSTEM_STATE: Final = "system.filesystem.state"
NETWORK_INTERFACE_NAME: Final = "network.interface.name"
NETWORK_IO_DIRECTION: Final = "network.io.direction"
NETWORK_TRANSPORT: Final = "network.transport"
NETWORK_CONNECTION_STATE: Final = "network.connection.state"
PROCESS_CONTEXT_SWITCH_TYPE: Final = "process.context_switch.type"
PROCESS_LINUX_CGROUP: Final = "process.linux.cgroup"
# Not in the conventions, in their style.
SYSTEM_LINUX_PRESSURE_RESOURCE: Final = "system.linux.pressure.resource"
SYSTEM_LINUX_PRESSURE_TYPE: Final = "system.linux.pressure.type"
CGROUP_MEMORY_EVENT: Final = "linux.cgroup.memory.event"
# Ours: why something was dropped, refused or failed.
REASON: Final = "pyrometer.reason"
SIGNAL: Final = "pyrometer.signal"
STATE: Final = "pyrometer.state"
OUTCOME: Final = "pyrometer.outcome"

# Host metrics. The collector's ``/api/v1/hosts`` reads them.
SYSTEM_UPTIME: Final = "system.uptime"
SYSTEM_CPU_TIME: Final = "system.cpu.time"
SYSTEM_CPU_UTILIZATION: Final = "system.cpu.utilization"
SYSTEM_CPU_FREQUENCY: Final = "system.cpu.frequency"
SYSTEM_CPU_LOGICAL_COUNT: Final = "system.cpu.logical.count"
SYSTEM_CPU_PHYSICAL_COUNT: Final = "system.cpu.physical.count"
# The conventions have no load average; these are the names that the OpenTelemetry Collector's host receiver uses.
SYSTEM_LOAD_AVERAGE_1M: Final = "system.cpu.load_average.1m"
SYSTEM_LOAD_AVERAGE_5M: Final = "system.cpu.load_average.5m"
SYSTEM_LOAD_AVERAGE_15M: Final = "system.cpu.load_average.15m"
SYSTEM_MEMORY_USAGE: Final = "system.memory.usage"
SYSTEM_MEMORY_LIMIT: Final = "system.memory.limit"
SYSTEM_MEMORY_UTILIZATION: Final = "system.memory.utilization"
SYSTEM_MEMORY_LINUX_AVAILABLE: Final = "system.memory.linux.available"
SYSTEM_PAGING_USAGE: Final = "system.paging.usage"
SYSTEM_PAGING_UTILIZATION: Final = "system.paging.utilization"
SYSTEM_PAGING_FAULTS: Final = "system.paging.faults"
SYSTEM_PAGING_OPERATIONS: Final = "system.paging.operations"
SYSTEM_DISK_IO: Final = "system.disk.io"
SYSTEM_DISK_OPERATIONS: Final = "system.disk.operations"
SYSTEM_DISK_IO_TIME: Final = "system.disk.io_time"
SYSTEM_DISK_OPERATION_TIME: Final = "system.disk.operation_time"
SYSTEM_DISK_MERGED: Final = "system.disk.merged"
SYSTEM_FILESYSTEM_USAGE: Final = "system.filesystem.usage"
SYSTEM_FILESYSTEM_UTILIZATION: Final = "system.filesystem.utilization"
SYSTEM_FILESYSTEM_LIMIT: Final = "system.filesystem.limit"
SYSTEM_NETWORK_IO: Final = "system.network.io"
SYSTEM_NETWORK_ERRORS: Final = "system.network.errors"
SYSTEM_NETWORK_PACKET_COUNT: Final = "system.network.packet.count"
SYSTEM_NETWORK_PACKET_DROPPED: Final = "system.network.packet.dropped"
SYSTEM_NETWORK_CONNECTION_COUNT: Final = "system.network.connection.count"
SYSTEM_PROCESS_COUNT: Final = "system.process.count"
SYSTEM_PROCESS_CREATED: Final = "system.process.created"
SYSTEM_PROCESS_LIMIT: Final = "system.process.limit"
# Not in the conventions, in their style.
SYSTEM_MEMORY_LINUX_OOM_KILLS: Final = "system.memory.linux.oom_kills"
SYSTEM_LINUX_PRESSURE_TIME: Final = "system.linux.pressure.time"
CGROUP_CPU_TIME: Final = "linux.cgroup.cpu.time"
CGROUP_CPU_LIMIT: Final = "linux.cgroup.cpu.limit"
CGROUP_CPU_PERIODS: Final = "linux.cgroup.cpu.periods"
CGROUP_CPU_THROTTLED_PERIODS: Final = "linux.cgroup.cpu.throttled_periods"
CGROUP_CPU_THROTTLED_TIME: Final = "linux.cgroup.cpu.throttled_time"
CGROUP_MEMORY_USAGE: Final = "linux.cgroup.memory.usage"
CGROUP_MEMORY_LIMIT: Final = "linux.cgroup.memory.limit"
CGROUP_MEMORY_EVENTS: Final = "linux.cgroup.memory.events"

# Watched processes; their resource is the process.
PROCESS_CPU_TIME: Final = "process.cpu.time"
PROCESS_MEMORY_USAGE: Final = "process.memory.usage"
PROCESS_MEMORY_VIRTUAL: Final = "process.memory.virtual"
PROCESS_DISK_IO: Final = "process.disk.io"
PROCESS_THREAD_COUNT: Final = "process.thread.count"
PROCESS_FILE_DESCRIPTOR_COUNT: Final = "process.unix.file_descriptor.count"
PROCESS_CONTEXT_SWITCHES: Final = "process.context_switches"
PROCESS_PAGING_FAULTS: Final = "process.paging.faults"
PROCESS_UPTIME: Final = "process.uptime"

# The agent about itself.
AGENT_TARGETS: Final = "pyrometer.agent.targets"
AGENT_WINDOWS: Final = "pyrometer.agent.windows"
AGENT_SAMPLES: Final = "pyrometer.agent.samples"
AGENT_SAMPLE_ERRORS: Final = "pyrometer.agent.sample.errors"
AGENT_SAMPLES_LATE: Final = "pyrometer.agent.samples.late"
AGENT_SAMPLES_LOST: Final = "pyrometer.agent.samples.lost"
AGENT_SAMPLES_UNSTABLE: Final = "pyrometer.agent.samples.unstable"
AGENT_SAMPLES_CUT: Final = "pyrometer.agent.samples.cut"
AGENT_BUDGET_CPU: Final = "pyrometer.agent.budget.cpu.limit"
AGENT_BUDGET_CPU_USED: Final = "pyrometer.agent.budget.cpu.utilization"
AGENT_BUDGET_MEMORY: Final = "pyrometer.agent.budget.memory.limit"
AGENT_BUDGET_MEMORY_USED: Final = "pyrometer.agent.budget.memory.usage"
AGENT_BUDGET_RATE: Final = "pyrometer.agent.budget.rate"
AGENT_BUDGET_WINDOWS: Final = "pyrometer.agent.budget.windows"
AGENT_BUDGET_PASSED_OVER: Final = "pyrometer.agent.budget.passed_over"
AGENT_BUDGET_CHANGES: Final = "pyrometer.agent.budget.changes"
AGENT_COVERAGE: Final = "pyrometer.agent.coverage"
AGENT_RATE: Final = "pyrometer.agent.rate"
AGENT_PROCESSES_IGNORED: Final = "pyrometer.agent.processes.ignored"
AGENT_PROCESSES_SHORT_LIVED: Final = "pyrometer.agent.processes.short_lived"
AGENT_IDENTITY_ERRORS: Final = "pyrometer.agent.identity.errors"
AGENT_DEVICES_IGNORED: Final = "pyrometer.agent.devices.ignored"
AGENT_CGROUPS_IGNORED: Final = "pyrometer.agent.cgroups.ignored"
AGENT_PROCESSES_UNREPORTED: Final = "pyrometer.agent.processes.unreported"
AGENT_HOST_READ_ERRORS: Final = "pyrometer.agent.host.read.errors"
AGENT_CPU_TIME: Final = "pyrometer.agent.cpu.time"
AGENT_CPU_NOT_SAMPLED: Final = "pyrometer.agent.cpu.not_sampled"
AGENT_HOST_CPU_TIME: Final = "pyrometer.agent.host.cpu.time"
AGENT_HOST_CPU_DEBT: Final = "pyrometer.agent.host.cpu.debt"
AGENT_HOST_NAMES_FOLDED: Final = "pyrometer.agent.host.names.folded"
AGENT_EVENTS_SEEN: Final = "pyrometer.agent.events.seen"
AGENT_EVENTS_LOST: Final = "pyrometer.agent.events.lost"
AGENT_ENGINE_REFUSED: Final = "pyrometer.agent.engine.refused"
AGENT_EVENTS_REFUSED: Final = "pyrometer.agent.events.refused"
AGENT_EXPORTED: Final = "pyrometer.agent.exported"
AGENT_EXPORT_TIME: Final = "pyrometer.agent.export.time"
AGENT_EXPORT_FAILURES: Final = "pyrometer.agent.export.failures"
AGENT_DROPPED: Final = "pyrometer.agent.dropped"
AGENT_QUEUE_BYTES: Final = "pyrometer.agent.queue.usage"
AGENT_SPOOL_BYTES: Final = "pyrometer.agent.spool.usage"
AGENT_SPOOL_ERRORS: Final = "pyrometer.agent.spool.errors"
AGENT_RELOADS: Final = "pyrometer.agent.reloads"

# How a window was sampled: attributes of its profile, as they differ from window to window.
WINDOW_LOOKS: Final = "pyrometer.window.looks"
WINDOW_SAMPLED_NS: Final = "pyrometer.window.sampled_ns"
WINDOW_LATE: Final = "pyrometer.window.late"
WINDOW_LOST: Final = "pyrometer.window.lost"
WINDOW_ERRORS: Final = "pyrometer.window.errors"
WINDOW_UNSTABLE: Final = "pyrometer.window.unstable"
WINDOW_CUT: Final = "pyrometer.window.cut"
WINDOW_ATTRIBUTES: Final = frozenset(
    (WINDOW_LOOKS, WINDOW_SAMPLED_NS, WINDOW_LATE, WINDOW_LOST, WINDOW_ERRORS, WINDOW_UNSTABLE, WINDOW_CUT)
)

Kind = Literal["gauge", "counter", "updown"]


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One metric as it is emitted.

    Attributes:
        name: As on the wire.
        unit: In UCUM.
        kind: ``counter`` is a monotonic sum, ``updown`` a sum that may fall, ``gauge`` a value.
        attributes: The keys its points may carry.
        summary: One line for people.
    """

    name: str
    unit: str
    kind: Kind
    attributes: tuple[str, ...]
    summary: str


_DISK = (SYSTEM_DEVICE, DISK_IO_DIRECTION)
_MOUNT = (SYSTEM_DEVICE, SYSTEM_FILESYSTEM_MOUNTPOINT, SYSTEM_FILESYSTEM_TYPE)
_NETWORK = (NETWORK_INTERFACE_NAME, NETWORK_IO_DIRECTION)
_CGROUP = (PROCESS_LINUX_CGROUP, CONTAINER_ID)

HOST_METRICS: Final[tuple[Metric, ...]] = (
    Metric(SYSTEM_UPTIME, "s", "gauge", (), "Time since boot."),
    Metric(SYSTEM_CPU_TIME, "s", "counter", (CPU_MODE,), "CPU time of all logical CPUs together, by mode."),
    Metric(
        SYSTEM_CPU_UTILIZATION,
        "1",
        "gauge",
        (CPU_MODE,),
        "CPU time since the last report, by mode, over what the logical CPUs could give; the modes sum to 1.",
    ),
    Metric(SYSTEM_CPU_FREQUENCY, "Hz", "gauge", (), "Present frequency, the mean of all logical CPUs."),
    Metric(SYSTEM_CPU_LOGICAL_COUNT, "{cpu}", "updown", (), "Logical CPUs."),
    Metric(SYSTEM_CPU_PHYSICAL_COUNT, "{cpu}", "updown", (), "Physical cores, where known."),
    Metric(SYSTEM_LOAD_AVERAGE_1M, "{thread}", "gauge", (), "Load average over 1 minute, all CPUs together."),
    Metric(SYSTEM_LOAD_AVERAGE_5M, "{thread}", "gauge", (), "Load average over 5 minutes, all CPUs together."),
    Metric(SYSTEM_LOAD_AVERAGE_15M, "{thread}", "gauge", (), "Load average over 15 minutes, all CPUs together."),
    Metric(SYSTEM_MEMORY_USAGE, "By", "updown", (SYSTEM_MEMORY_STATE,), "Memory by state; the states sum to limit."),
    Metric(SYSTEM_MEMORY_LIMIT, "By", "updown", (), "Memory of the machine."),
    Metric(SYSTEM_MEMORY_UTILIZATION, "1", "gauge", (SYSTEM_MEMORY_STATE,), "Memory by state over the limit."),
    Metric(SYSTEM_MEMORY_LINUX_AVAILABLE, "By", "updown", (), "Memory that can be had without swapping."),
    Metric(SYSTEM_PAGING_USAGE, "By", "updown", (SYSTEM_PAGING_STATE,), "Swap, used and free."),
    Metric(SYSTEM_PAGING_UTILIZATION, "1", "gauge", (SYSTEM_PAGING_STATE,), "Swap, used and free, over its size."),
    Metric(SYSTEM_PAGING_FAULTS, "{fault}", "counter", (SYSTEM_PAGING_FAULT_TYPE,), "Page faults; major ones read."),
    Metric(SYSTEM_PAGING_OPERATIONS, "{operation}", "counter", (SYSTEM_PAGING_DIRECTION,), "Pages swapped in and out."),
    Metric(SYSTEM_MEMORY_LINUX_OOM_KILLS, "{kill}", "counter", (), "Processes the kernel killed for lack of memory."),
    Metric(SYSTEM_DISK_IO, "By", "counter", _DISK, "Bytes read and written."),
    Metric(SYSTEM_DISK_OPERATIONS, "{operation}", "counter", _DISK, "Reads and writes."),
    Metric(SYSTEM_DISK_IO_TIME, "s", "counter", (SYSTEM_DEVICE,), "Time in which the disk was at work."),
    Metric(SYSTEM_DISK_OPERATION_TIME, "s", "counter", _DISK, "Time of all operations added up."),
    Metric(SYSTEM_DISK_MERGED, "{operation}", "counter", _DISK, "Operations merged with a neighbour."),
    Metric(SYSTEM_FILESYSTEM_USAGE, "By", "updown", (*_MOUNT, SYSTEM_FILESYSTEM_STATE), "Space by state."),
    Metric(SYSTEM_FILESYSTEM_UTILIZATION, "1", "gauge", (*_MOUNT, SYSTEM_FILESYSTEM_STATE), "Space over the limit."),
    Metric(SYSTEM_FILESYSTEM_LIMIT, "By", "updown", _MOUNT, "Size of the file system."),
    Metric(SYSTEM_NETWORK_IO, "By", "counter", _NETWORK, "Bytes sent and received."),
    Metric(SYSTEM_NETWORK_ERRORS, "{error}", "counter", _NETWORK, "Packets that failed."),
    Metric(SYSTEM_NETWORK_PACKET_COUNT, "{packet}", "counter", _NETWORK, "Packets sent and received."),
    Metric(SYSTEM_NETWORK_PACKET_DROPPED, "{packet}", "counter", _NETWORK, "Packets dropped."),
    Metric(
        SYSTEM_NETWORK_CONNECTION_COUNT,
        "{connection}",
        "updown",
        (NETWORK_TRANSPORT, NETWORK_CONNECTION_STATE),
        "TCP connections that are established or in TIME-WAIT, and UDP sockets, of the agent's network namespace.",
    ),
    Metric(SYSTEM_PROCESS_COUNT, "{process}", "updown", (), "Processes."),
    Metric(SYSTEM_PROCESS_CREATED, "{process}", "counter", (), "Processes and threads started, short-lived included."),
    Metric(SYSTEM_PROCESS_LIMIT, "{process}", "updown", (), "Most processes and threads there can be."),
    Metric(
        SYSTEM_LINUX_PRESSURE_TIME,
        "s",
        "counter",
        (SYSTEM_LINUX_PRESSURE_RESOURCE, SYSTEM_LINUX_PRESSURE_TYPE),
        "Time in which some or all tasks waited for a resource (PSI).",
    ),
    Metric(CGROUP_CPU_TIME, "s", "counter", (*_CGROUP, CPU_MODE), "CPU time of a systemd unit or container."),
    Metric(CGROUP_CPU_LIMIT, "{cpu}", "updown", _CGROUP, "CPUs it may use, where it is limited."),
    Metric(CGROUP_CPU_PERIODS, "{period}", "counter", _CGROUP, "Periods of its CPU limit in which it ran."),
    Metric(CGROUP_CPU_THROTTLED_PERIODS, "{period}", "counter", _CGROUP, "Those in which it met the limit."),
    Metric(CGROUP_CPU_THROTTLED_TIME, "s", "counter", _CGROUP, "Time it was held back by its CPU limit."),
    Metric(CGROUP_MEMORY_USAGE, "By", "updown", _CGROUP, "Memory of a systemd unit or container, caches included."),
    Metric(CGROUP_MEMORY_LIMIT, "By", "updown", _CGROUP, "Memory it may use, where it is limited."),
    Metric(
        CGROUP_MEMORY_EVENTS,
        "{event}",
        "counter",
        (*_CGROUP, CGROUP_MEMORY_EVENT),
        "Times it met its limits of memory, ran out of it, or had a process killed for it.",
    ),
)

PROCESS_METRICS: Final[tuple[Metric, ...]] = (
    Metric(PROCESS_CPU_TIME, "s", "counter", (CPU_MODE,), "CPU time of a watched process."),
    Metric(PROCESS_MEMORY_USAGE, "By", "updown", (), "Memory that is resident."),
    Metric(PROCESS_MEMORY_VIRTUAL, "By", "updown", (), "Address space."),
    Metric(PROCESS_DISK_IO, "By", "counter", (DISK_IO_DIRECTION,), "Bytes read from and written to disks."),
    Metric(PROCESS_THREAD_COUNT, "{thread}", "updown", (), "Threads."),
    Metric(PROCESS_FILE_DESCRIPTOR_COUNT, "{file_descriptor}", "updown", (), "Open file descriptors."),
    Metric(
        PROCESS_CONTEXT_SWITCHES,
        "{context_switch}",
        "counter",
        (PROCESS_CONTEXT_SWITCH_TYPE,),
        "Context switches of all threads; left out for a process of more than 64.",
    ),
    Metric(PROCESS_PAGING_FAULTS, "{fault}", "counter", (SYSTEM_PAGING_FAULT_TYPE,), "Page faults; major ones read."),
    Metric(PROCESS_UPTIME, "s", "gauge", (), "Time since it started."),
)

AGENT_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        AGENT_TARGETS,
        "{process}",
        "updown",
        (STATE,),
        "Processes by what is done with them; of those that are not Python only what is waiting.",
    ),
    Metric(AGENT_WINDOWS, "{window}", "counter", (), "Windows sampled."),
    Metric(AGENT_SAMPLES, "{sample}", "counter", (), "Stacks seen."),
    Metric(AGENT_SAMPLE_ERRORS, "{error}", "counter", (REASON,), "Windows or samples that failed, by reason."),
    Metric(AGENT_SAMPLES_LATE, "{sample}", "counter", (), "Samples taken late."),
    Metric(AGENT_SAMPLES_LOST, "{sample}", "counter", (), "Samples that the rate promised and that were not taken."),
    Metric(AGENT_SAMPLES_UNSTABLE, "{sample}", "counter", (), "Stacks whose leaf part changed while it was read."),
    Metric(AGENT_SAMPLES_CUT, "{sample}", "counter", (), "Stacks cut at the root because they were too deep."),
    Metric(AGENT_RATE, "Hz", "gauge", (), "Samples a second of each process in the windows of the last minute."),
    Metric(
        AGENT_COVERAGE, "1", "gauge", (), "Share of the targets' CPU time of the last minute that stacks stand for."
    ),
    Metric(AGENT_BUDGET_CPU, "1", "gauge", (), "CPU that the agent and its children may use, in cores."),
    Metric(AGENT_BUDGET_CPU_USED, "1", "gauge", (), "CPU used in the last minute, in cores."),
    Metric(AGENT_BUDGET_MEMORY, "By", "gauge", (), "Resident memory that the agent and its children may use."),
    Metric(AGENT_BUDGET_MEMORY_USED, "By", "gauge", (), "Resident memory of the agent and its children."),
    Metric(AGENT_BUDGET_RATE, "Hz", "gauge", (), "Samples a second of each process that the budget allows."),
    Metric(AGENT_BUDGET_WINDOWS, "{process}", "gauge", (), "Processes that the budget allows to sample at a time."),
    Metric(AGENT_BUDGET_PASSED_OVER, "{process}", "gauge", (REASON,), "Processes waiting to be sampled, by what for."),
    Metric(AGENT_BUDGET_CHANGES, "{change}", "counter", (REASON,), "Times that less or more was allowed, by cause."),
    Metric(AGENT_PROCESSES_IGNORED, "{process}", "updown", (), "Processes beyond the limit of those looked at."),
    Metric(AGENT_PROCESSES_SHORT_LIVED, "{process}", "counter", (), "Processes that ended before they were looked at."),
    Metric(AGENT_IDENTITY_ERRORS, "{error}", "counter", (REASON,), "What could not be found out about a process."),
    Metric(AGENT_DEVICES_IGNORED, "{device}", "counter", (), "Disks, interfaces and file systems beyond the limit."),
    Metric(AGENT_CGROUPS_IGNORED, "{cgroup}", "updown", (), "systemd units and containers beyond the limit."),
    Metric(AGENT_PROCESSES_UNREPORTED, "{process}", "updown", (), "Watched processes beyond those reported singly."),
    Metric(AGENT_HOST_READ_ERRORS, "{error}", "counter", (REASON,), "Readers of the host that failed, by name."),
    Metric(AGENT_CPU_TIME, "s", "counter", (), "CPU time of the agent and of its children."),
    Metric(AGENT_CPU_NOT_SAMPLED, "s", "counter", (), "CPU time of targets that no stack was seen for."),
    Metric(AGENT_HOST_CPU_TIME, "s", "counter", (STATE,), "CPU time of the host, by who accounts for it."),
    Metric(AGENT_HOST_CPU_DEBT, "s", "updown", (), "CPU time of processes beyond the host's busy time, still to even."),
    Metric(AGENT_HOST_NAMES_FOLDED, "{name}", "counter", (), "Programs beyond the limit of those named in a window."),
    Metric(AGENT_EVENTS_SEEN, "{sample}", "counter", (), "Perf events: moments at which a thread was on a CPU."),
    Metric(AGENT_EVENTS_LOST, "{sample}", "counter", (), "Perf events that the rings had no room for."),
    Metric(AGENT_ENGINE_REFUSED, "{attach}", "counter", (REASON,), "Processes our reader left to py-spy, and why."),
    Metric(AGENT_EVENTS_REFUSED, "1", "gauge", (REASON,), "1 where perf events are wanted and cannot be had, and why."),
    Metric(AGENT_EXPORTED, "By", "counter", (SIGNAL,), "Bytes the collector accepted, as sent."),
    Metric(AGENT_EXPORT_TIME, "s", "counter", (SIGNAL,), "Time spent sending, failed attempts included."),
    Metric(AGENT_EXPORT_FAILURES, "{attempt}", "counter", (SIGNAL, REASON), "Attempts to send that failed."),
    Metric(AGENT_DROPPED, "{batch}", "counter", (SIGNAL, REASON), "Batches given up, by reason."),
    Metric(AGENT_QUEUE_BYTES, "By", "updown", (), "Bytes waiting to be sent, in memory and on the disk."),
    Metric(AGENT_SPOOL_BYTES, "By", "updown", (), "Bytes waiting to be sent that are on the disk."),
    Metric(AGENT_SPOOL_ERRORS, "{error}", "counter", (REASON,), "Times the spool could not be read or written."),
    Metric(AGENT_RELOADS, "{reload}", "counter", (OUTCOME,), "Times the settings were read again: applied, refused."),
)

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in HOST_METRICS + PROCESS_METRICS + AGENT_METRICS}
