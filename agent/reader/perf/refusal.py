"""Why perf events cannot be had, in one line that says what to do."""

import errno
from pathlib import Path
from typing import Final

from pyrometer.errors import RefusedError

_PARANOID: Final = Path("/proc/sys/kernel/perf_event_paranoid")
_CAP_SYS_ADMIN, _CAP_PERFMON = 21, 38
_SECCOMP_FILTER: Final = "2"


class PerfRefusedError(RefusedError):
    """Perf events cannot be had here; everything else works without."""


def explain_refusal(code: int, status: str | None = None, paranoid: int | None = None) -> PerfRefusedError:
    """
    Turn the error number of ``perf_event_open`` into a reason.

    Args:
        code: As in ``errno``.
        status: Text of ``/proc/self/status``; None to read it.
        paranoid: ``kernel.perf_event_paranoid``; None to read it.
    """
    if code == errno.ENOSYS:
        return PerfRefusedError("this kernel has no perf events: nothing to be done", reason="kernel")
    if code in (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.E2BIG):
        return PerfRefusedError(
            f"this kernel's perf events have no CPU clock with call chains ({errno.errorcode[code]}); Linux 4.8 has",
            reason="kernel",
        )
    if code in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return PerfRefusedError(
            f"perf events need one descriptor and 68 KiB of memory for each CPU ({errno.errorcode[code]}); raise "
            "LimitNOFILE= or kernel.perf_event_mlock_kb",
            reason="limit",
        )
    if code not in (errno.EPERM, errno.EACCES):
        return PerfRefusedError(f"perf events: {errno.errorcode.get(code, code)}", reason="other")
    return _explain_missing_right(
        _read(Path("/proc/self/status")) if status is None else status,
        int(_read(_PARANOID).strip() or 2) if paranoid is None else paranoid,
    )


def _explain_missing_right(status: str, paranoid: int) -> PerfRefusedError:
    fields = dict(line.partition(":\t")[::2] for line in status.splitlines())
    capabilities = int(fields.get("CapEff", "0"), 16)
    if capabilities >> _CAP_PERFMON & 1 or capabilities >> _CAP_SYS_ADMIN & 1:
        by_filter = fields.get("Seccomp", "").strip() == _SECCOMP_FILTER
        what = "a seccomp filter forbids perf_event_open" if by_filter else "a security module forbids perf events"
        return PerfRefusedError(f"{what}; allow it in the container's or unit's profile", reason="seccomp")
    return PerfRefusedError(
        f"perf events of the whole host need CAP_PERFMON (kernel.perf_event_paranoid is {paranoid}); grant it "
        "(AmbientCapabilities=CAP_PERFMON in the systemd unit)",
        reason="permission",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
