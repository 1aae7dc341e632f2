"""``pyrometer check`` against a real collector, on services whose releases differ in a known way."""

import json
import re
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

import pytest

from collector.check.machine import report_json, report_junit, report_sarif
from collector.check.report import Item, Price, Report
from collector.check.text import markdown_lines, text_lines
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.api import Change, Shortage
from pyrometer.api_events import EventBody, TouchedFunction
from pyrometer.client import CollectorClient
from tests.contract.collector_process import running_collector
from tests.contract.releases import BUCKETS, FUNCTIONS, ReleaseWriter

DEPLOY = "Round twice"
HOSTILE = "\x1b[31m<b>[x](javascript:y)|`@all`\x00\ud800"


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    store = EmbeddedStore(folder)
    migrate(store)
    writer = ReleaseWriter(store, int(time.time()) // 10 * 10 - 2 * BUCKETS * 10)
    for service, slow in (("steady", 1.0), ("slower", 1.2)):
        writer.release(service, "1", cpu_ms=FUNCTIONS)
        writer.release(service, "2", cpu_ms={**FUNCTIONS, "step_5": FUNCTIONS["step_5"] * slow})
    writer.release("rare", "1", cpu_ms={"step": 4.0}, requests=0.2)
    writer.release("rare", "2", cpu_ms={"step": 8.0}, requests=0.2)
    store.close()
    with running_collector(folder) as collector:
        touched = TouchedFunction(function="step_5", file="src/app.py", first_line=7, last_line=9)
        deploy = EventBody(kind="deploy", service="slower", version="2", title=DEPLOY, functions=[touched])
        CollectorClient(collector.url, 20).post_event(deploy)

        def check(service, *arguments, baseline="1", candidate="2"):
            command = [sys.executable, "-m", "pyrometer", "check", "--service", service, "--collector", collector.url]
            command += ["--baseline", baseline, "--candidate", candidate, *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

        yield check


def test_a_regression_is_named_with_its_price_and_ends_with_5(check):
    """The one function that uses a fifth more, its interval and its price a month; the rest is counted."""
    done = check("slower")
    assert (done.returncode, done.stderr) == (5, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "slower: 2 against 1: REGRESSION"
    assert next(line for line in lines if line.startswith("regression")) == "regression  step_5 (app.py)"
    assert "  own CPU per request: " in done.stdout
    assert " a month (" in done.stdout
    assert re.search(rf"^suspect change \(confidence 9\d%\)  deploy of 2: {DEPLOY}, ", done.stdout, re.MULTILINE)
    assert "  step_5: modifies step_5 (src/app.py:7-9), " in done.stdout
    assert check("slower", "--no-fail-on-regression").returncode == 0


def test_no_regression_ends_with_0(check):
    """Two releases that are alike, and one that got better."""
    same, better = check("steady"), check("slower", baseline="2", candidate="1")
    assert (same.returncode, better.returncode) == (0, 0)
    assert same.stdout.startswith("steady: 2 against 1: NO CHANGE\n")
    assert "suspect" not in same.stdout + better.stdout
    assert better.stdout.startswith("slower: 1 against 2: IMPROVEMENT\n")


def test_too_little_data_says_how_much_is_missing(check):
    """A service with a request a minute, and a release that nobody has seen."""
    rare, unknown = check("rare"), check("steady", candidate="3")
    assert rare.returncode == 0
    assert re.search(r"^not enough data  GET /, mean latency: needs \d+ more requests$", rare.stdout, re.MULTILINE)
    assert (unknown.returncode, unknown.stdout) == (4, "")
    assert "nothing to compare since -1d. Release 3 sent nothing in this range." in unknown.stderr


@pytest.mark.parametrize("form", ["json", "junit", "sarif", "markdown"])
def test_every_format_names_the_same_regression(check, tmp_path, form):
    """Read as a machine would read it."""
    path = tmp_path / "report"
    done = check("slower", "--format", form, "-o", str(path))
    assert done.returncode == 5
    assert done.stdout == f"slower: 2 against 1: REGRESSION; written to {path}\n"
    text = path.read_text()
    if form == "json":
        report = json.loads(text)
        found = [item["subject"] for item in report["items"] if item["verdict"] == "regression"]
        first = report["items"][0]
        assert first["low"] < 9.0 * 0.2 < first["high"]
        assert first["price_low"] < first["price_per_month"] < first["price_high"]
        assert first["q"] < 0.05
        assert report["suspects"][0]["confidence"] > 0.9
    elif form == "junit":
        suite = ET.fromstring(text).find("testsuite")  # noqa: S314 (our own)
        found = [case.get("name").partition(":")[0] for case in suite if case.find("failure") is not None]
        assert suite.get("failures") == str(len(found))
        assert suite.get("tests") == str(len(suite))
    elif form == "sarif":
        (run,) = json.loads(text)["runs"]
        found = [each["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for each in run["results"]]
        assert {each["ruleId"] for each in run["results"]} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    else:
        found = [
            line.split("|")[2].split()[0].replace("\\", "")
            for line in text.splitlines()
            if line.startswith("| regression ")
        ]
    assert found[0] == "step_5"
    assert set(found) <= {"step_5", "slower"}
    assert text.count(DEPLOY) == (len(found) if form in ("junit", "sarif") else 1)


def test_a_place_that_cannot_be_written_is_told(check, tmp_path):
    """Before anybody waits for a file that is not there."""
    done = check("steady", "-o", str(tmp_path / "missing" / "report"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written: No such file or directory" in done.stderr


def a_report(name, needs=None):
    change = Change(
        baseline=1.0, candidate=2.0, absolute=1.0, relative=1.0, low=0.5, high=1.5, p_value=0.001, q_value=0.002,
        verdict="not_enough_data" if needs else "regression", needs=needs,
    )  # fmt: skip
    price = Price(middle=10.0, low=5.0, high=15.0)
    item = Item(
        subject=name, file=name, kind="function", quantity="own CPU per request", unit="ms", change=change, price=price
    )
    return Report(
        service=name, baseline=name, candidate=name, method="m", currency="USD", confidence=0.95, bucket_s=10,
        items=(item,), notes=(name,), assumptions=("a",),
    )  # fmt: skip


def test_names_from_outside_stay_names():
    """No terminal is steered, no markup made, and every format can be parsed."""
    report = a_report(HOSTILE)
    for text in ("\n".join(text_lines(report)), "\n".join(markdown_lines(report)), report_junit(report)):
        assert "\x1b" not in text
        assert "\x00" not in text
    markdown = "\n".join(markdown_lines(report))
    assert "](javascript" not in markdown
    assert all(line.count(" | ") == 7 for line in markdown.splitlines() if line.startswith("| regression"))
    suites = ET.fromstring(report_junit(report))  # noqa: S314 (our own)
    assert suites.find("testsuite/testcase/failure") is not None
    assert json.loads(report_sarif(report))["runs"][0]["results"]
    assert json.loads(report_json(report))["verdict"] == "regression"


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Shortage(more=4, unit="buckets"), "needs 4 more buckets of 10 s"),
        (Shortage(more=1200, unit="samples"), "needs 1,200 more samples"),
    ],
)
def test_what_is_missing_is_said_in_words(needs, words):
    """In every format that a person reads."""
    report = a_report("f", needs)
    for text in ("\n".join(text_lines(report)), "\n".join(markdown_lines(report)), report_junit(report)):
        assert words in text
