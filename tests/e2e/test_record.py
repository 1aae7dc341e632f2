"""pyrometer record from end to end: a real program, both engines, and the hot function on top in every format."""

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from record_support import (
    WORKLOAD,
    can_drop_rights,
    command,
    dead_pid,
    eventually,
    forbidden_process,
    one_line,
    pyrometer,
    workload,
)

from pyrometer.formats import pprof_pb2
from pyrometer.formats.otlp import otlp_to_profiles

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

SCHEMA = Path(__file__).parent.parent / "golden" / "speedscope-file-format-schema.json"


def self_counts(collapsed: str) -> dict[str, int]:
    """Samples by leaf function, read without our own parser."""
    counts: dict[str, int] = {}
    for line in collapsed.splitlines():
        stack, _, count = line.rpartition(" ")
        leaf = stack.rpartition(";")[2].partition(" (")[0]
        counts[leaf] = counts.get(leaf, 0) + int(count)
    return counts


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def record(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Record the workload as a program of our own for two seconds."""
    (directory / "busy_service.py").write_text(WORKLOAD, encoding="utf-8")
    program = [sys.executable, "busy_service.py"]
    finished = pyrometer("record", "-d", "2", *arguments, "--", *program, cwd=directory)
    assert finished.returncode == 0, finished.stderr
    return finished


def test_collapsed_has_the_hot_function_on_top(tmp_path):
    """The function that uses three quarters of the time has by far the most samples; its file and line are right."""
    finished = record(tmp_path, "-o", "out.txt")
    text = (tmp_path / "out.txt").read_text()
    counts = self_counts(text)
    assert "hot" == max(counts, key=counts.__getitem__)
    assert counts["hot"] > 1.5 * counts["lukewarm"] > 0
    assert "main (" in text
    assert "busy_service.py:" in text
    assert "wrote out.txt (collapsed)" in finished.stderr
    assert ["busy_service.py", "out.txt"] == names_in(tmp_path)


@pytest.mark.parametrize("engine", ["remote", "py-spy"])
@pytest.mark.parametrize("flags", [("-i",), ("-g",), ("-t", "--nolineno"), ("-F",)], ids=" ".join)
def test_either_engine_knows_the_flags(tmp_path, engine, flags):
    """Idle threads, the GIL's holder, threads apart, no lines, first lines: the same with both engines."""
    record(tmp_path, "--engine", engine, *flags, "-o", "out.txt")
    text = (tmp_path / "out.txt").read_text()
    counts = self_counts(text)
    assert "hot" == max(counts, key=counts.__getitem__)
    if "--nolineno" in flags:
        assert "hot (busy_service.py)" in text
        assert all(line.startswith("thread (") for line in text.splitlines())
    if "-F" in flags:
        assert {"hot (busy_service.py:3)"} == set(re.findall(r"hot \([^)]*\)", text))


@pytest.mark.parametrize("engine", ["remote", "py-spy"])
def test_children_are_read_under_a_name_of_their_own(tmp_path, engine):
    """With -s processes that come later are read too, each under a frame, with the CPU time it used."""
    source = (
        "import os, sys, time\n"
        "def burn(seconds):\n"
        "    end = time.process_time() + seconds\n"
        "    while time.process_time() < end: pass\n"
        "def child():\n"
        "    burn(1.5)\n"
        "def parent():\n"
        "    burn(0.5)\n"
        "parent()\n"
        "if os.fork() == 0:\n"
        "    child()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    output = tmp_path / "out.otlp"
    finished = pyrometer("record", "-s", "--engine", engine, "-o", str(output), "--", sys.executable, "-c", source)
    assert 0 == finished.returncode, finished.stderr
    (profile,) = otlp_to_profiles(output.read_bytes())
    by_process: dict[str, int] = {}
    for stack, value in profile.values().items():
        assert re.fullmatch(r"process \d+: .*", stack[0].function)
        by_process[stack[0].function] = by_process.get(stack[0].function, 0) + value
    assert 2 == len(by_process)
    names = {frame.function for sample in profile.samples if sample.count for frame in sample.stack}
    assert {"child", "parent"} <= names
    # Two seconds of work; interpreters start and end, too, and a look at a clock may come late on a busy machine.
    assert 1.7e9 <= sum(by_process.values()) <= 3.0e9


def test_pprof_is_read_by_a_parser_of_the_published_schema(tmp_path):
    """Protobuf's own parser finds the hot function on top, and CPU time that adds up to the time recorded."""
    record(tmp_path, "-o", "out.pb.gz")
    profile = pprof_pb2.Profile.FromString(gzip.decompress((tmp_path / "out.pb.gz").read_bytes()))
    text = profile.string_table
    assert "" == text[0]
    types = [(text[kind.type], text[kind.unit]) for kind in profile.sample_type]
    assert [("samples", "count"), ("cpu", "nanoseconds")] == types
    functions = {function.id: text[function.name] for function in profile.function}
    leaf_of = {location.id: functions[location.line[0].function_id] for location in profile.location}
    self_ns: dict[str, int] = {}
    for sample in profile.sample:
        leaf = leaf_of[sample.location_id[0]]
        self_ns[leaf] = self_ns.get(leaf, 0) + sample.value[1]
    assert "hot" == max(self_ns, key=self_ns.__getitem__)
    assert 0 < sum(self_ns.values()) < 3e9
    assert 10_000_000 == profile.period
    assert 1.5e9 < profile.duration_nanos < 10e9
    assert profile.time_nanos > 0


def test_speedscope_is_valid_against_its_schema(tmp_path):
    """The published schema accepts the file, and the hot function has the greatest weight."""
    record(tmp_path, "-o", "out.speedscope.json")
    document = json.loads((tmp_path / "out.speedscope.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    names = [frame["name"] for frame in document["shared"]["frames"]]
    weights: dict[str, float] = {}
    for profile in document["profiles"]:
        for stack, weight in zip(profile["samples"], profile["weights"], strict=True):
            weights[names[stack[-1]]] = weights.get(names[stack[-1]], 0) + weight
    assert "hot" == max(weights, key=weights.__getitem__)


def test_otlp_carries_the_identity_of_the_process(tmp_path):
    """The profile can be handed to a collector later: service, pid and start are in it."""
    record(tmp_path, "-o", "out.otlp", "--full-filenames")
    (profile,) = otlp_to_profiles((tmp_path / "out.otlp").read_bytes())
    assert "busy_service" == profile.attributes["service.name"]
    assert int(profile.attributes["process.pid"]) > 0
    assert "hot" == max(profile.samples, key=lambda sample: sample.value).stack[-1].function


def test_a_running_process_is_recorded_under_a_name_of_its_own(tmp_path):
    """Without -o the file is called after the program and the time; py-spy's name of the format works."""
    with workload(tmp_path) as process:
        finished = pyrometer("record", "-p", hex(process.pid), "-d", "1", "-f", "raw", cwd=tmp_path)
        assert process.poll() is None
    assert 0 == finished.returncode, finished.stderr
    (file,) = tmp_path.glob("busy_service-*Z.collapsed.txt")
    counts = self_counts(file.read_text())
    assert "hot" == max(counts, key=counts.__getitem__)


def test_the_standard_output_takes_the_profile_and_nothing_else(tmp_path):
    """With -o - the profile can be piped; with -q nothing is said about it."""
    with workload(tmp_path) as process:
        finished = pyrometer("record", "-q", "-t", "-p", str(process.pid), "-d", "1", "-f", "collapsed", "-o", "-")
    assert "" == finished.stderr
    assert all(line.startswith(f"thread ({process.pid})") for line in finished.stdout.splitlines())
    assert "hot" in self_counts(finished.stdout)


def test_the_programs_input_and_output_pass_through(tmp_path):
    """The program reads our standard input and writes to our standard output, and its exit code is told."""
    code = "import sys, time\nprint(sys.stdin.read().upper())\nend = time.time() + 1\nwhile time.time() < end: pass\n"
    finished = pyrometer(
        "record", "-o", str(tmp_path / "o.txt"), sys.executable, "-c", code + "sys.exit(5)", input="hello"
    )
    assert (0, "HELLO\n") == (finished.returncode, finished.stdout)
    assert "the program ended with exit code 5" in finished.stderr
    assert "<module> (<string>:4)" in (tmp_path / "o.txt").read_text()


@pytest.mark.parametrize(("duration", "expected"), [((), 0), (("-d", "60"), 130)], ids=["unlimited", "cut short"])
def test_an_interrupt_ends_the_recording_and_keeps_it(tmp_path, duration, expected):
    """Ctrl-C is the way to end a recording without a duration; with one it ends it early, and the exit code says so."""
    output = tmp_path / "out.txt"
    with workload(tmp_path) as process:
        arguments = ("record", "-p", str(process.pid), *duration, "-o", str(output))
        recorder = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
        await_samples(recorder.pid, process.pid)
        recorder.send_signal(signal.SIGINT)
        _, messages = recorder.communicate(timeout=120)
        assert process.poll() is None
    assert expected == recorder.returncode, messages
    assert "hot" in self_counts(output.read_text())


def await_samples(recorder: int, target: int) -> None:
    """Wait until a recorder has attached to a target, and that has worked for a while under its eyes."""
    eventually(lambda: any(f"/proc/{target}/task" in name for name in open_files(recorder)), "it is attached")
    used_s = cpu_s(target)
    eventually(lambda: cpu_s(target) >= used_s + 0.5, "some work")


def open_files(pid: int) -> list[str]:
    names = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(path.readlink()))
    return names


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_program_that_outlives_the_recording_is_ended(tmp_path):
    """After the duration the program gets SIGTERM, so that it can clean up."""
    source = (
        "import signal, sys, time\n"
        "def stop(*_):\n    print('cleaned up', flush=True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "while True: sum(range(300))\n"
    )
    finished = pyrometer("record", "-d", "1.5", "-o", str(tmp_path / "o.txt"), "--", sys.executable, "-c", source)
    assert (0, "cleaned up\n") == (finished.returncode, finished.stdout)
    assert "the program ended with exit code 0" in finished.stderr


def test_a_process_that_ends_while_it_is_recorded_leaves_a_profile(tmp_path):
    """What was seen is written, with exit code 0."""
    with workload(tmp_path) as process:
        arguments = ("record", "-p", str(process.pid), "-d", "60", "-o", str(tmp_path / "out.txt"))
        recorder = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
        await_samples(recorder.pid, process.pid)
        process.kill()
        process.wait()
        _, messages = recorder.communicate(timeout=120)
    assert 0 == recorder.returncode, messages
    assert "hot" in self_counts((tmp_path / "out.txt").read_text())


def test_a_dead_pid_is_one_line_and_exit_code_4(tmp_path):
    """The line names the pid and what to check."""
    pid = dead_pid()
    finished = pyrometer("record", "-p", str(pid), "-d", "1", cwd=tmp_path)
    assert 4 == finished.returncode
    assert f"pyrometer: no process has the pid {pid}: check the number; it may have ended" == one_line(finished)
    assert [] == names_in(tmp_path)


def test_a_process_that_is_not_python_is_one_line_and_exit_code_4(tmp_path):
    """The line names the program that has the pid."""
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        eventually(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "exec")
        finished = pyrometer("record", "-p", str(process.pid), "-d", "1", cwd=tmp_path)
    finally:
        process.kill()
        process.wait()
    assert 4 == finished.returncode
    assert f"process {process.pid} (sleep) is not a Python process" in one_line(finished)
    assert [] == names_in(tmp_path)


@pytest.mark.skipif(not can_drop_rights(), reason="no process without rights can be started here")
def test_a_missing_right_is_one_line_and_exit_code_3(tmp_path):
    """The line names the right, and how to get it."""
    with forbidden_process(tmp_path) as (prefix, pid):
        finished = subprocess.run(
            [*prefix, *command("record", "-p", str(pid), "-d", "1", "-o", "out.html")],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert 3 == finished.returncode
    assert f"may not read process {pid}" in one_line(finished)
    assert "sudo" in finished.stderr
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("missing/out.html", "does not exist; create it"),
        ("file/out.html", "is not a directory"),
        (".", "it is a directory; name a file in it"),
        ("/proc/out.html", "name a place you may write to"),
        ("out.xyz", "does not tell the format: add -f"),
        (f"{'x' * 300}.html", "File name too long"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, output, message):
    """One line, exit code 2, and the program was not started."""
    (tmp_path / "file").touch()
    program = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    finished = pyrometer("record", "-o", output, "--", *program, cwd=tmp_path)
    assert 2 == finished.returncode
    assert message in one_line(finished)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--", "no-such-program"), 4, "cannot start no-such-program: no such program; check the name and PATH"),
        (("--", "/etc/passwd"), 3, "not executable by this user"),
        (("--", "true"), 4, "true ended with exit code 0 before anything of it was seen"),
        (("--upload", "ftp://x", "--", "true"), 2, "--upload ftp://x: not an address"),
        (("--native", "--nonblocking", "-p", "1"), 2, "native frames need blocking reads"),
    ],
)
def test_other_mistakes_are_one_line(tmp_path, arguments, code, message):
    """Each says what is wrong and what to do, and leaves no file."""
    finished = pyrometer("record", *arguments, cwd=tmp_path)
    assert code == finished.returncode
    assert message in one_line(finished)
    assert [] == names_in(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [(), ("-p", "1", "--", "true"), ("-p", "x"), ("-p", "0"), ("-p", "1", "-d", "0"), ("-p", "1", "-r", "0")],
)
def test_wrong_usage_is_exit_code_2(arguments):
    """Neither or both of pid and program, and numbers that are none."""
    finished = pyrometer("record", *arguments)
    assert 2 == finished.returncode
    assert "Error: " in finished.stderr
    assert "Traceback" not in finished.stderr
