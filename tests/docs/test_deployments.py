"""The shipped units, image recipe and manifests: what they name exists, and what they promise about rights holds."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from agent.settings_loader import load_agent_settings
from pyrometer.cli import root

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"
UNITS = sorted(CONFIGS.glob("systemd/*.service"))
TWO_CAPABILITIES = {"SYS_PTRACE", "DAC_READ_SEARCH"}


def directives(path):
    """Return what a unit sets; a directive given twice keeps its last value, which no unit here does."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#[;"]
    return dict(line.split("=", 1) for line in lines)


def manifests():
    documents = yaml.safe_load_all((CONFIGS / "kubernetes" / "agent-daemonset.yaml").read_text())
    return {document["kind"]: document for document in documents}


def pod():
    return manifests()["DaemonSet"]["spec"]["template"]["spec"]


def compose():
    return yaml.safe_load((CONFIGS / "docker" / "compose.yaml").read_text())["services"]["agent"]


@pytest.fixture
def embedded(tmp_path):
    """The settings inside the ConfigMap, read as the agent reads them."""
    path = tmp_path / "agent.yaml"
    path.write_text(manifests()["ConfigMap"]["data"]["agent.yaml"])
    return load_agent_settings(path, environment={}, flags={})


def check_command(arguments):
    """Fail unless a command line names commands and flags that exist; the program is not run."""
    command: click.Command = root
    context = click.Context(root, info_name="pyrometer")
    while isinstance(command, click.Group):
        command = command.get_command(context, arguments.pop(0))
        context = click.Context(command, parent=context)
    with context.scope(cleanup=False):
        command.parse_args(context, arguments)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_that_exists(unit):
    """Command and flags of ExecStart are those of this release."""
    program, *arguments = shlex.split(directives(unit)["ExecStart"])
    assert "/opt/pyrometer/bin/pyrometer" == program
    check_command(arguments)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_has_no_more_rights_than_said(unit):
    """The agent has its two capabilities and sees other processes; the others have none; nobody gains any."""
    found = directives(unit)
    expected = "CAP_SYS_PTRACE CAP_DAC_READ_SEARCH" if unit.stem == "pyrometer-agent" else ""
    assert expected == found["CapabilityBoundingSet"]
    assert expected == found.get("AmbientCapabilities", "")
    assert "yes" == found["NoNewPrivileges"]
    assert "2" == found["RestartPreventExitStatus"]
    if unit.stem == "pyrometer-agent":
        assert set() == {"ProtectProc", "ProcSubset", "PrivateUsers", "PrivatePIDs"} & found.keys()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_accepts_a_unit(unit, tmp_path):
    """`verify` has nothing to say, and the exposure is below 3, which systemd calls OK."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/pyrometer/bin/pyrometer", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False, timeout=60
    )
    assert (0, "") == (verified.returncode, verified.stderr)
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", copy],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert 0 == rated.returncode, rated.stdout[-200:]


def test_the_daemonset_has_the_rights_it_needs_and_no_more():
    """The node's processes, two capabilities, a user who is not root, a file system that is read only, limits."""
    (container,) = pod()["containers"]
    security = container["securityContext"]
    assert pod()["hostPID"]
    assert pod()["securityContext"]["runAsNonRoot"]
    assert (["ALL"], TWO_CAPABILITIES) == (security["capabilities"]["drop"], set(security["capabilities"]["add"]))
    assert security["readOnlyRootFilesystem"]
    assert {"requests", "limits"} == container["resources"].keys()
    assert [{"operator": "Exists"}] == pod()["tolerations"]
    fields = {item["name"]: item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") for item in container["env"]}
    assert "spec.nodeName" == fields["NODE_NAME"]


def test_the_daemonset_hangs_together(embedded):
    """Mounted volumes exist, the probes ask the port the agent listens on, selectors match, the map is there."""
    (container,) = pod()["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod()["volumes"]}
    (port,) = container["ports"]
    assert embedded.http.host_and_port() == ("0.0.0.0", port["containerPort"])
    assert port["name"] == container["livenessProbe"]["httpGet"]["port"] == container["startupProbe"]["httpGet"]["port"]
    template = manifests()["DaemonSet"]["spec"]["template"]
    assert manifests()["DaemonSet"]["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    assert manifests()["ConfigMap"]["metadata"]["name"] == pod()["volumes"][0]["configMap"]["name"]
    assert manifests()["ServiceAccount"]["metadata"]["name"] == pod()["serviceAccountName"]


def test_the_embedded_settings_send_to_the_cluster(embedded):
    """The settings of the map pass the agent's own checks, and lead away from loopback."""
    assert embedded.export.endpoint.startswith("http://pyrometer-collector.")


def test_the_image_starts_a_command_that_exists():
    """What is copied is in the checkout, and entry point and arguments are commands and flags of this release."""
    recipe = (CONFIGS / "docker" / "agent.Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(\S+) ", recipe, re.MULTILINE):
        assert (CONFIGS.parent / source).exists(), source
    entry, arguments = (
        yaml.safe_load(re.search(rf"^{word} (.*)$", recipe, re.MULTILINE)[1]) for word in ("ENTRYPOINT", "CMD")
    )
    assert "/opt/pyrometer/bin/pyrometer" == entry[0]
    check_command([*entry[1:], *arguments])
    check_command([*entry[1:], *pod()["containers"][0]["args"]])
    assert "USER 65532\n" in recipe
    assert "[agent]'" in recipe


def test_the_compose_file_has_the_rights_it_needs_and_no_more():
    """The machine's processes, two capabilities, a file system that is read only; its variables are settings."""
    agent = compose()
    assert ("host", ["ALL"], TWO_CAPABILITIES) == (agent["pid"], agent["cap_drop"], set(agent["cap_add"]))
    assert agent["read_only"]
    assert (CONFIGS / "docker" / agent["build"]["context"] / agent["build"]["dockerfile"]).is_file()
    settings = load_agent_settings(CONFIGS / "agent.yaml", environment=agent["environment"], flags={})
    assert "127.0.0.1:7072" == settings.http.address
