"""Who a process is, for its file's name, its title and the attributes of its profile."""

import os

from agent.host_identity import read_host_identity
from agent.identity import Identifier
from agent.procfs import read_stat
from agent.settings import IdentitySettings
from pyrometer import semconv


def identify(pid: int) -> dict[str, str | int]:
    """Return the resource attributes of a process; those of a pid alone where it has gone."""
    stat = read_stat(pid)
    if stat is None:
        return {semconv.PROCESS_PID: pid}
    return Identifier(read_host_identity(os.environ), IdentitySettings(rules=())).describe(stat).attributes


def service_of(attributes: dict[str, str | int]) -> str:
    """Return what the process is called; hostile text."""
    return str(attributes.get(semconv.SERVICE_NAME) or f"pid-{attributes.get(semconv.PROCESS_PID, 0)}")
