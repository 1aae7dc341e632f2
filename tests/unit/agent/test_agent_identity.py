"""Who a process is."""

import re

from agent_processes import PYTHON, WAITING

from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.procfs import boot_time_s, read_stat
from agent.settings import IdentityRule, IdentitySettings, Match

HOST = HostIdentity({"host.name": "h1", "host.id": "0123", "host.arch": "amd64", "os.type": "linux"}, boot_time_s())


def describe(process, rules=()):
    process.stdout.readline()
    return Identifier(HOST, IdentitySettings(rules=tuple(rules))).describe(read_stat(process.pid))


def test_a_process_says_itself_who_it_is(start_process):
    """OTEL_SERVICE_NAME beats service.name, and both beat rules and guesses."""
    process = start_process(
        PYTHON,
        "-c",
        WAITING,
        environment={
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,service.version=1.2,deployment.environment.name=prod,team=a",
        },
    )
    rule = IdentityRule(match=Match(command_line="sys"), service_name="ruled", service_version="9")
    attributes = describe(process, [rule]).attributes

    assert attributes["service.name"] == "shop"
    assert attributes["service.version"] == "1.2"
    assert attributes["deployment.environment.name"] == "prod"
    assert attributes["team"] == "a"


def test_a_process_cannot_pose_as_another_one(start_process):
    """What is known about process and host is not taken from the process's own word."""
    lies = "process.pid=1,host.name=other,telemetry.sdk.name=x,service.name=shop"
    process = start_process(PYTHON, "-c", WAITING, environment={"OTEL_RESOURCE_ATTRIBUTES": lies})
    attributes = describe(process).attributes

    assert attributes["process.pid"] == process.pid
    assert attributes["host.name"] == "h1"
    assert attributes["telemetry.sdk.name"] == "pyrometer"
    assert attributes["service.name"] == "shop"


def test_other_variables_and_the_command_line_are_not_kept(start_process):
    """Secrets of the environment and of the arguments appear in no attribute."""
    process = start_process(PYTHON, "-c", WAITING, "--token=hunter2", environment={"SECRET": "hunter3"})
    shown = repr(describe(process).attributes)

    assert "hunter" not in shown


def test_a_rule_names_what_does_not_name_itself(start_process, tmp_path):
    """A rule's template takes groups of the command line; the first rule to give a name wins."""
    script = tmp_path / "worker.py"
    script.write_text(WAITING)
    process = start_process(PYTHON, str(script), "--queue", "mail")
    rules = [
        IdentityRule(match=Match(command_line=r"--queue (\w+)"), service_name=r"worker-\1", environment="test"),
        IdentityRule(match=Match(executable="python"), service_name="python", service_version="7"),
    ]
    attributes = describe(process, rules).attributes

    assert attributes["service.name"] == "worker-mail"
    assert attributes["service.version"] == "7"
    assert attributes["deployment.environment.name"] == "test"


def test_a_script_is_named_after_its_file(start_process, tmp_path):
    """Without environment and rules, the script's name is the service's."""
    script = tmp_path / "billing.py"
    script.write_text(WAITING)
    attributes = describe(start_process(PYTHON, str(script))).attributes

    assert attributes["service.name"] == "billing"
    assert "service.version" not in attributes


def test_process_attributes_follow_the_conventions(start_process):
    """Pid, start, executable and runtime are there; the instance id is a stable UUID."""
    process = start_process(PYTHON, "-c", WAITING)
    attributes = describe(process).attributes
    again = Identifier(HOST, IdentitySettings(rules=())).describe(read_stat(process.pid)).attributes

    assert attributes["process.pid"] == process.pid
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", attributes["process.creation.time"])
    assert attributes["process.executable.name"].startswith("python")
    assert attributes["process.runtime.name"] == "cpython"
    assert re.fullmatch(r"3\.\d+", attributes["process.runtime.version"])
    assert re.fullmatch(r"[0-9a-f-]{36}", attributes["service.instance.id"])
    assert attributes["service.instance.id"] == again["service.instance.id"]
    assert attributes["host.name"] == "h1"
