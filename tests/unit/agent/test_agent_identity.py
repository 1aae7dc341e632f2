"""Who a process is."""

import os
import re
import shutil
from pathlib import Path

import pytest
from agent_processes import PYTHON, WAITING
from hypothesis import given
from hypothesis import strategies as st

from agent.identity import (
    ATTRIBUTES_MAX,
    KEY_CHARS_MAX,
    VALUE_CHARS_MAX,
    HostIdentity,
    describe_process,
    is_python,
    parse_resource_attributes,
    read_host_identity,
    runtime_version,
)
from agent.matching import IdentityRules
from agent.procfs import boot_time_s, read_executable, read_stat
from agent.settings import IdentityRule, Match

HOST = HostIdentity({"host.name": "h1", "host.id": "0123", "host.arch": "amd64", "os.type": "linux"}, boot_time_s())


def describe(process, rules=()):
    process.stdout.readline()
    return describe_process(read_stat(process.pid), HOST, IdentityRules(tuple(rules)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("service.name=shop,service.version=1.2", {"service.name": "shop", "service.version": "1.2"}),
        (" service.name = shop , a=b ", {"service.name": "shop", "a": "b"}),
        ("service.name=my%20shop%2C%20ltd", {"service.name": "my shop, ltd"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=%zz", {"a": "%zz"}),
        ("novalue,=x,,a=", {"a": ""}),
        ("", {}),
    ],
)
def test_resource_attributes_are_parsed_as_the_specification_says(text, expected):
    """Pairs are trimmed and percent-decoded; what is not a pair is left out."""
    assert parse_resource_attributes(text) == expected


@given(st.text(max_size=300))
def test_any_text_is_parsed_within_the_limits(text):
    """Hostile text raises nothing and cannot grow past the limits."""
    found = parse_resource_attributes(text)

    assert len(found) <= ATTRIBUTES_MAX
    assert all(0 < len(key) <= KEY_CHARS_MAX and len(value) <= VALUE_CHARS_MAX for key, value in found.items())


def test_too_many_and_too_long_attributes_are_cut():
    """The number of attributes, and the length of each, is bounded."""
    many = parse_resource_attributes(",".join(f"k{i}={'v' * 5000}" for i in range(1000)))

    assert len(many) == ATTRIBUTES_MAX
    assert set(map(len, many.values())) == {VALUE_CHARS_MAX}
    assert parse_resource_attributes(f"{'k' * 300}=v") == {}


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
    again = describe_process(read_stat(process.pid), HOST, IdentityRules(())).attributes

    assert attributes["process.pid"] == process.pid
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", attributes["process.creation.time"])
    assert attributes["process.executable.name"].startswith("python")
    assert attributes["process.runtime.name"] == "cpython"
    assert re.fullmatch(r"3\.\d+", attributes["process.runtime.version"])
    assert re.fullmatch(r"[0-9a-f-]{36}", attributes["service.instance.id"])
    assert attributes["service.instance.id"] == again["service.instance.id"]
    assert attributes["host.name"] == "h1"


def test_python_is_told_from_other_programs(start_process):
    """An interpreter is one by its name; a shell and a sleep are not."""
    python = start_process(PYTHON, "-c", WAITING)
    sleep = start_process("/bin/sleep", "60")
    python.stdout.readline()

    assert is_python(read_stat(python.pid), read_executable(python.pid))
    assert not is_python(read_stat(sleep.pid), read_executable(sleep.pid))


def test_hidden_program_is_taken_by_its_short_name():
    """Where the program cannot be read, the kernel's name decides, so that the missing right shows."""
    stat = read_stat(os.getpid())

    assert is_python(stat, "") == stat.command.startswith("python")


def test_runtime_version_comes_from_the_program_or_its_library(start_process):
    """The version stands in the executable's name; a program without it and without libpython has none."""
    sleep = start_process("/bin/sleep", "60")

    assert runtime_version(1, "/usr/bin/python3.13") == "3.13"
    assert runtime_version(sleep.pid, "/usr/bin/sleep") == ""


def test_host_identity_names_the_machine():
    """Host name, architecture and boot time are known, and the agent's own environment can rename the host."""
    host = read_host_identity({"OTEL_RESOURCE_ATTRIBUTES": "host.name=renamed,service.name=no"})

    assert host.attributes["host.name"] == "renamed"
    assert host.attributes["os.type"] == "linux"
    assert host.attributes["host.arch"] in {"amd64", "arm64"}
    assert "service.name" not in host.attributes
    assert host.boot_time_s > 1_500_000_000


def test_a_renamed_interpreter_is_still_python(start_process, tmp_path):
    """A copy of the interpreter under another name is found by the libpython it has mapped, where it has one."""
    real = os.path.realpath(PYTHON)
    copy = tmp_path / "myapp"
    shutil.copy(real, copy)
    process = start_process(str(copy), "-c", WAITING, environment={"PYTHONHOME": "/usr"})
    process.stdout.readline()
    linked = "libpython" in Path(f"/proc/{process.pid}/maps").read_text()

    assert is_python(read_stat(process.pid), read_executable(process.pid)) == linked
