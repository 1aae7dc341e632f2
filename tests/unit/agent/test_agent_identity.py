"""Who a process is."""

import re

import pytest
from agent_processes import PYTHON, WAITING, wait_until

from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.procfs import boot_time_s, list_pids, read_stat
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


def describe_pid(pid, **settings):
    return Identifier(HOST, IdentitySettings(rules=(), **settings)).describe(read_stat(pid)).attributes


_POOL = """
import multiprocessing, multiprocessing.connection, os, sys

def work(pipe):
    pipe.send(os.getpid())
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])

if __name__ == '__main__':
    context = multiprocessing.get_context(sys.argv[1])
    if sys.argv[1] == 'forkserver':
        context.set_forkserver_preload([])
    ours, theirs = context.Pipe()
    worker = context.Process(target=work, args=(theirs,))
    worker.start()
    print(ours.recv(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_are_their_service(start_process, tmp_path, method):
    """Whatever started a worker, it bears the name of the service it works for, and its part in it."""
    script = tmp_path / "pool.py"
    script.write_text(_POOL)
    environment = {"OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2"} if method == "fork" else {}
    main = start_process(PYTHON, str(script), method, environment=environment)
    worker = int(main.stdout.readline())
    tree = {pid: describe_pid(pid) for pid in list_pids() if is_descendant(pid, main.pid)}

    assert {attributes["service.name"] for attributes in tree.values()} == {"pool"}
    assert (tree[main.pid]["pyrometer.process.role"], tree[worker]["pyrometer.process.role"]) == ("main", "worker")
    helpers = {pid for pid, attributes in tree.items() if attributes["pyrometer.process.role"] == "helper"}
    assert tree.keys() - helpers == {main.pid, worker}
    assert len(helpers) == {"fork": 0, "spawn": 1, "forkserver": 2}[method]


def is_descendant(pid, ancestor):
    while pid > 1 and pid != ancestor:
        stat = read_stat(pid)
        pid = stat.parent_pid if stat else 0
    return pid == ancestor


_TITLED = """
import ctypes, os, sys
title = sys.argv[1].encode()
if len(sys.argv) > 2 and os.fork():
    print('up', flush=True)
    sys.stdin.read()
    os._exit(0)
fields = open('/proc/self/stat').read().rpartition(')')[2].split()
begin, end = int(fields[45]), int(fields[48])   # arg_start, env_end: the title runs over the environment
ctypes.memset(begin, 0, end - begin)
ctypes.memmove(begin, title, len(title))
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_a_title_over_command_line_and_environment_still_names_the_service(start_process, tmp_path):
    """A process that wrote a title where its arguments and environment were is named by what the title tells."""
    script = tmp_path / "serve.py"
    script.write_text(_TITLED)
    process = start_process(
        PYTHON, str(script), "gunicorn: worker [shop.wsgi:application]", environment={"OTEL_SERVICE_NAME": "lost"}
    )
    process.stdout.readline()
    attributes = describe_pid(process.pid)

    assert attributes["service.name"] == "shop"
    assert attributes["pyrometer.process.role"] == "worker"


def test_a_worker_with_a_title_of_its_own_has_what_its_parent_says(start_process, tmp_path):
    """Where only the worker wrote a title, name and version come from the process that forked it."""
    script = tmp_path / "serve.py"
    script.write_text(_TITLED)
    process = start_process(
        PYTHON,
        str(script),
        "job 1234 of a customer",
        "fork",
        environment={"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.version=1.2"},
    )
    lines = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    (worker,) = [int(line) for line in lines if line != b"up"]
    attributes = describe_pid(worker)

    assert (attributes["service.name"], attributes["service.version"]) == ("shop", "1.2")
    assert attributes["pyrometer.process.role"] == "worker"


def test_a_program_with_a_name_of_its_own_is_no_worker_of_its_starter(start_process, tmp_path):
    """A service that starts another one, as a supervisor does, does not lend it its name."""
    other, starter = tmp_path / "billing.py", tmp_path / "boss.py"
    other.write_text("import sys; print('up', flush=True); sys.stdin.read()")
    starter.write_text(f"import subprocess, sys; subprocess.run([sys.executable, {str(other)!r}])")
    process = start_process(PYTHON, str(starter))
    process.stdout.readline()
    (child,) = [pid for pid in list_pids() if pid != process.pid and is_descendant(pid, process.pid)]
    attributes = describe_pid(child)

    assert attributes["service.name"] == "billing"
    assert attributes["pyrometer.process.role"] == "main"


def test_the_commit_is_the_release_only_where_asked_for(start_process, tmp_path):
    """With identity.git the commit of the working directory is version and vcs.*; a version that is told wins."""
    revision = "0123456789" * 4
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text(revision + "\n")
    code = f"import os; os.chdir({str(tmp_path)!r}); {WAITING}"
    silent = start_process(PYTHON, "-c", code)
    telling = start_process(PYTHON, "-c", code, environment={"OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2"})
    silent.stdout.readline()
    telling.stdout.readline()
    found = describe_pid(silent.pid, git=True)

    assert (found["service.version"], found["vcs.ref.head.revision"]) == (revision[:12], revision)
    assert found["vcs.ref.head.name"] == "main"
    assert describe_pid(telling.pid, git=True)["service.version"] == "1.2"
    assert "service.version" not in describe_pid(silent.pid)


def test_a_file_system_that_does_not_answer_is_counted(start_process, monkeypatch):
    """Where the commit cannot be had in time, the process is described without it, and that is counted."""
    process = start_process(PYTHON, "-c", WAITING)
    process.stdout.readline()
    counted = []

    def never(*_):
        raise TimeoutError

    monkeypatch.setattr("agent.checkout.CommitReader.read", never)
    identifier = Identifier(HOST, IdentitySettings(rules=(), git=True), count=counted.append)

    assert identifier.describe(read_stat(process.pid)).attributes["process.pid"] == process.pid
    assert counted == ["git_timeout"]


def test_the_tree_of_a_real_server_is_one_service(start_process, tmp_path):
    """The main process of uvicorn, its workers and the helper of multiprocessing all bear the application's name."""
    (tmp_path / "shop.py").write_text("async def app(scope, receive, send): pass")
    arguments = ["shop:app", "--app-dir", str(tmp_path), "--workers", "2", "--port", "0", "--log-level", "critical"]
    main = start_process(PYTHON, "-m", "uvicorn", *arguments)

    def roles():
        tree = [describe_pid(pid) for pid in list_pids() if is_descendant(pid, main.pid) and read_stat(pid)]
        assert {attributes["service.name"] for attributes in tree} == {"shop"}
        return sorted(attributes["pyrometer.process.role"] for attributes in tree)

    wait_until(lambda: roles() == ["helper", "main", "worker", "worker"])
    main.terminate()
    main.wait()
