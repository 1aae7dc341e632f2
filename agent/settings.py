"""The agent's settings, each with its default and its bounds. `configs/agent.yaml` shows them with comments."""

from typing import Annotated, Literal

import msgspec

from pyrometer.addresses import parse_listen_address

_ENDPOINT = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"

Seconds = Annotated[float, msgspec.Meta(ge=0.1, le=3600.0)]
Url = Annotated[str, msgspec.Meta(pattern=_ENDPOINT)]
Regex = Annotated[str, msgspec.Meta(max_length=1000)] | None


class Match(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    A rule about a process: it applies where every pattern given is found (``re.search``); without any it never does.

    The command line is looked at in memory only; it is never stored or sent.
    """

    executable: Regex = None
    service: Regex = None
    user: Regex = None
    cgroup: Regex = None
    container: Regex = None
    image: Regex = None
    pod: Regex = None
    unit: Regex = None
    command_line: Regex = None


class IdentityRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    r"""What to call the processes a rule applies to; ``\1`` is the first group of its ``command_line`` pattern."""

    match: Match
    service_name: str | None = None
    service_version: str | None = None
    environment: str | None = None


class TargetSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which processes are watched."""

    allow: tuple[Match, ...] = ()
    deny: tuple[Match, ...] = ()
    scan_interval_s: Seconds = 1.0
    young_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 1.0
    # CPU time of one scan that goes into finding out what new processes are; the others wait for the next.
    classify_ms_max: Annotated[float, msgspec.Meta(ge=1.0, le=1000.0)] = 8.0
    targets_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 512
    processes_max: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 32_768


class PerfSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Native and kernel stacks of processes that are not watched, from the kernel's perf events."""

    # auto and on differ in how loudly a missing right is told.
    enabled: Literal["auto", "on", "off"] = "auto"
    # Looks at each CPU a second; on a machine with many CPUs fewer, so that all together stay below the second number.
    rate_hz: Annotated[float, msgspec.Meta(ge=0.1, le=999.0)] = 19.0
    samples_per_s_max: Annotated[float, msgspec.Meta(ge=1.0, le=100_000.0)] = 50.0


class SamplingSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How they are sampled."""

    # Our own reader, and py-spy for what it refuses; or one of them for all.
    engine: Literal["auto", "remote", "py-spy"] = "auto"
    # wall: where threads are, whether they run or wait; which functions used the CPU is then not known.
    mode: Literal["cpu", "wall"] = "cpu"
    rate_hz: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 19
    window_s: Annotated[float, msgspec.Meta(ge=0.5, le=300.0)] = 10.0
    concurrent_max: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    # A process that used less of one core than this since the last look is left alone; its time is accounted anyway.
    busy_share_min: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.001
    backoff_s: Seconds = 10.0
    backoff_max_s: Seconds = 600.0
    # How long CPU time waits for a window that sees its thread; then it is reported as not sampled.
    carry_s_max: Annotated[float, msgspec.Meta(ge=1.0, le=3600.0)] = 60.0
    # Frames of one stack, counted from the leaf; what is deeper is cut at the root.
    depth_max: Annotated[int, msgspec.Meta(ge=8, le=512)] = 512
    perf: PerfSettings = msgspec.field(default_factory=PerfSettings)
    # How long the windows being taken may need to end when the agent is told to stop.
    stop_s: Annotated[float, msgspec.Meta(ge=0.0, le=30.0)] = 1.5


class BudgetSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the agent and the programs it starts may use; over it, less is sampled."""

    # Of one core.
    cpu_percent: Annotated[float, msgspec.Meta(ge=0.05, le=10_000.0)] = 1.0
    rss_mib: Annotated[int, msgspec.Meta(ge=32, le=1_048_576)] = 128


class MetricsSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The metrics of the host and of the agent."""

    enabled: bool = True
    interval_s: Annotated[float, msgspec.Meta(ge=1.0, le=3600.0)] = 10.0
    # Disks, network interfaces and file systems reported, each kind on its own; those beyond are counted.
    devices_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    # Watched processes reported one by one, and systemd units and containers, the busiest first; the rest is counted.
    processes_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 64
    cgroups_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 64


class LedgerSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The bill of the CPU time that no watched process used."""

    enabled: bool = True
    window_s: Annotated[float, msgspec.Meta(ge=1.0, le=300.0)] = 10.0
    # Programs named in a window, the busiest first; the others share one name, and are counted.
    names_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    # What clocks of processes may have run ahead of the machine's busy time before the difference is given up.
    debt_s_max: Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)] = 60.0


class SpoolSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What waits for the collector on the disk, so that neither an outage nor a kill of the agent loses it."""

    # Empty: see `agent.spool_place`.
    directory: str = ""
    # 0: nothing is written to the disk.
    bytes_max: Annotated[int, msgspec.Meta(ge=0, le=1_099_511_627_776)] = 268_435_456
    age_max_s: Annotated[float, msgspec.Meta(ge=1.0, le=1_209_600.0)] = 259_200.0
    # A batch that could not be sent this long is written to the disk; 0: each is, before it is taken.
    commit_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 1.0


class ExportSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    How batches reach the collector.

    The variables OTEL_EXPORTER_OTLP_* stand for these where they are set; see `agent.destination`.
    """

    endpoint: Url = "http://127.0.0.1:4318"
    # Whole addresses for one signal, used as they are.
    metrics_url: Url | None = None
    profiles_url: Url | None = None
    # Sent as "Authorization: Bearer ..."; a file is read again when it changes.
    token: str = ""
    token_file: str = ""
    # Allows a token to travel over plain http to another machine.
    insecure: bool = False
    # PEM files: certificates to trust instead of the system's, our own certificate, and its key.
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    compression: Literal["auto", "gzip", "zstd", "none"] = "auto"
    spool: SpoolSettings = msgspec.field(default_factory=SpoolSettings)
    queue_bytes_max: Annotated[int, msgspec.Meta(ge=65_536, le=4_294_967_296)] = 33_554_432
    batch_bytes_max: Annotated[int, msgspec.Meta(ge=4_096, le=67_108_864)] = 4_194_304
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=300.0)] = 10.0
    retry_s: Seconds = 1.0
    retry_max_s: Seconds = 30.0
    # Of each signal. What piled up goes no faster: a batch from the disk costs some 0.7 ms of CPU time.
    batches_per_s_max: Annotated[float, msgspec.Meta(ge=0.1, le=100_000.0)] = 10.0
    flush_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 2.0


class HttpSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The agent's own small HTTP server."""

    address: str = "127.0.0.1:7072"
    insecure_listen: bool = False

    def host_and_port(self) -> tuple[str, int]:
        """
        Return where to listen.

        Raises:
            ConfigError: If the address is not HOST:PORT, or would serve the network without ``insecure_listen``.
        """
        return parse_listen_address(self.address, key="http.address", insecure=self.insecure_listen)


class IdentitySettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What processes are called, where they do not say it themselves; the first rule that names a thing gives it."""

    # Whether the commit checked out around a process's working directory is its release where nothing else is.
    git: bool = False
    rules: tuple[IdentityRule, ...] = (
        IdentityRule(
            match=Match(command_line=r"\bpyrometer (agent|collector|dashboard|demo|up)\b"),
            service_name=r"pyrometer-\1",
        ),
    )


class AgentSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The root of the agent's settings."""

    targets: TargetSettings = msgspec.field(default_factory=TargetSettings)
    identity: IdentitySettings = msgspec.field(default_factory=IdentitySettings)
    sampling: SamplingSettings = msgspec.field(default_factory=SamplingSettings)
    budget: BudgetSettings = msgspec.field(default_factory=BudgetSettings)
    metrics: MetricsSettings = msgspec.field(default_factory=MetricsSettings)
    ledger: LedgerSettings = msgspec.field(default_factory=LedgerSettings)
    export: ExportSettings = msgspec.field(default_factory=ExportSettings)
    http: HttpSettings = msgspec.field(default_factory=HttpSettings)
