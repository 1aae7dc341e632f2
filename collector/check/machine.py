"""A report as JSON, as a JUnit file that CI systems show, and as SARIF that code hosts show beside the code."""

import json
import re
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from collector.check.report import Item, Report, shortage_words
from collector.check.text import number, price_words, relative, significance
from pyrometer import __version__
from pyrometer.text import printable

_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_VERSION: Final = "2.1.0"
# What XML 1.0 allows no way to write. Source: https://www.w3.org/TR/xml/#charsets
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RULES: Final = {
    "service": "cpu-of-service",
    "function": "cpu-of-function",
    "operation": "latency-of-operation",
}
_RULE_TEXTS: Final = {
    "cpu-of-service": "The service uses more CPU than in the baseline.",
    "cpu-of-function": "A function uses more CPU of its own than in the baseline.",
    "latency-of-operation": "An operation is slower, or fails more often, than in the baseline.",
}


def report_json(report: Report) -> str:
    """Return the whole report: every item with effect, interval, p, q, price; numbers that are not known are null."""
    return json.dumps(
        {
            "verdict": report.verdict,
            "service": report.service,
            "baseline": report.baseline,
            "candidate": report.candidate,
            "method": report.method,
            "confidence": report.confidence,
            "currency": report.currency or None,
            "counts": dict(report.counts()),
            "items": [_item(item, report) for item in report.items],
            "suspects": [
                {"title": each.title, "evidence": each.evidence, "confidence": each.confidence, "url": each.url}
                for each in report.suspects
            ],
            "notes": list(report.notes),
            "assumptions": list(report.assumptions),
        },
        indent=2,
        allow_nan=False,
    )


def report_junit(report: Report) -> str:
    """Return a test suite with a case for each item: a regression failed, what could not be tested was skipped."""
    counts = report.counts()
    suite = ET.Element(
        "testsuite",
        name=_xml(f"pyrometer check {report.heading}"),
        tests=str(len(report.items)),
        failures=str(counts.get("regression", 0)),
        errors="0",
        skipped=str(counts.get("not_enough_data", 0)),
    )
    for item in report.items:
        name = _xml(f"{item.subject}: {item.quantity}")
        case = ET.SubElement(suite, "testcase", name=name, classname=_xml(item.file or item.kind), time="0")
        if item.verdict == "regression":
            failure = ET.SubElement(case, "failure", type="regression", message=_xml(sentence(item, report)))
            failure.text = _xml("\n".join(_evidence(report)))
        elif item.verdict == "not_enough_data":
            ET.SubElement(case, "skipped", message=f"not enough data: {_needs(item, report)}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def report_sarif(report: Report) -> str:
    """Return a SARIF log with one result for each regression."""
    results = [_result(item, report) for item in report.with_verdict("regression")]
    driver = {
        "name": "pyrometer check",
        "version": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": text}} for rule, text in _RULE_TEXTS.items()],
    }
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": _SARIF_VERSION,
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(log, indent=2, allow_nan=False)


def sentence(item: Item, report: Report) -> str:
    """Return an item in one sentence."""
    change = item.change
    words = price_words(item.price, report.currency)
    return (
        f"{printable(item.subject)}: {item.quantity} {number(change.baseline, item)} ->"
        f" {number(change.candidate, item)} ({relative(item)}), {report.confidence:.0%} interval"
        f" {number(change.low, item, signed=True)} to {number(change.high, item, signed=True)}, p {significance(item)}"
    ) + (f", {words}" if words else "")


def _item(item: Item, report: Report) -> dict[str, Any]:
    change, price = item.change, item.price
    missing = change.needs
    return {
        "verdict": item.verdict,
        "kind": item.kind,
        "subject": item.subject,
        "file": item.file,
        "quantity": item.quantity,
        "unit": item.unit,
        "baseline": change.baseline,
        "candidate": change.candidate,
        "absolute": change.absolute,
        "relative": change.relative,
        "low": change.low,
        "high": change.high,
        "p": change.p_value,
        "q": change.q_value,
        "is_settled": change.is_settled,
        "anytime_q": change.anytime_q,
        "always_low": change.always_low,
        "always_high": change.always_high,
        "mde": change.mde,
        "samples": change.samples,
        "price_per_month": price.middle if price and report.currency else None,
        "price_low": price.low if price and report.currency else None,
        "price_high": price.high if price and report.currency else None,
        "needs": {"more": missing.more, "unit": missing.unit} if missing else None,
    }


def _result(item: Item, report: Report) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": _RULES[item.kind],
        "level": "error",
        "message": {"text": "\n".join([sentence(item, report), *_evidence(report)])},
        "partialFingerprints": {"subject/v1": f"{item.kind}:{item.file}:{item.subject}:{item.quantity}"},
        "logicalLocations": [{"fullyQualifiedName": item.subject, "kind": item.kind}],
    }
    # A result without a place in the code is allowed; one with a place that is not a file's is not shown.
    location: dict[str, Any] = {"logicalLocations": result.pop("logicalLocations")}
    if item.file:
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(item.file)}, "region": {"startLine": 1}}
    result["locations"] = [location]
    return result


def _evidence(report: Report) -> list[str]:
    suspects = [f"suspect change: {printable(each.title)}: {printable(each.evidence)}" for each in report.suspects]
    assumed = [f"prices assume: {printable('; '.join(report.assumptions))}"] if report.assumptions else []
    return [printable(report.heading), report.method, *suspects, *assumed]


def _needs(item: Item, report: Report) -> str:
    return shortage_words(item.change.needs, report.bucket_s)


def _uri(file: str) -> str:
    return quote(file, errors="replace")


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
