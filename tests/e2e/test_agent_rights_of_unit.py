"""The agent with the rights that its systemd unit gives it, and no others."""

import ctypes
import os
import shutil
import uuid

import pytest
from agent_programs import Program, free_port, get_text, poll, running, workload

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"),
]

_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 65, 1
_NOBODY = 65534
_CAPABILITIES = "-all,+sys_ptrace,+dac_read_search"


def deny_executable_memory():
    """As MemoryDenyWriteExecute=; kernels before 6.3 do not know it, and then it is not tested."""
    ctypes.CDLL(None).prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


def test_two_capabilities_are_enough(tmp_path):
    """As another user, with no-new-privileges and no memory both writable and executable, it samples root's program."""
    service, port = f"agent-e2e-{uuid.uuid4().hex[:8]}", free_port()
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, _NOBODY, _NOBODY)
    become = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs"]
    rights = [f"--{kind}={_CAPABILITIES}" for kind in ("bounding-set", "inh-caps", "ambient-caps")]
    arguments = ["agent", "run", "--http-address", f"127.0.0.1:{port}", "--endpoint", "http://127.0.0.1:9"]
    environment = {
        "STATE_DIRECTORY": str(state),
        "PYROMETER_AGENT_EXPORT__SPOOL__DIRECTORY": '""',
        "PYROMETER_AGENT_TARGETS__ALLOW": f"[{{service: '^{service}$'}}]",
        "PYROMETER_AGENT_SAMPLING__WINDOW_S": "1",
        "PYROMETER_AGENT_BUDGET__CPU_PERCENT": "100",
    }
    agent = Program(
        arguments, tmp_path / "log", environment, prefix=(*become, *rights), preexec_fn=deny_executable_memory
    )
    with workload(service), running(agent):
        poll(lambda: has_samples(port), what="a sample", of=agent)
        assert 0 == agent.stop()[0]
    assert not any("Traceback" in line for line in agent.lines())


def has_samples(port):
    lines = get_text(f"http://127.0.0.1:{port}/metrics").splitlines()
    return any(line.startswith("pyrometer_agent_samples_total") and not line.endswith(" 0.0") for line in lines)
