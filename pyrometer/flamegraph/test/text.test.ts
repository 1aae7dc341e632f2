import { expect, test } from "vitest";
import { fitText } from "../src/draw";
import { formatDuration, formatMoney, formatPoints, formatShare, formatValue } from "../src/text";
import { describe as describeNode, summarise } from "../src/tooltip";
import { aTree, columnsOf } from "./tree";

test("durations have three digits and a unit", () => {
  expect([0, 1.5e-6, 0.0123, 45, 600, 9000].map(formatDuration)).toEqual([
    "0 s",
    "1.50 \u00b5s",
    "12.3 ms",
    "45.0 s",
    "10.0 min",
    "2.50 h",
  ]);
});

test("values are shown in their unit", () => {
  expect(formatValue(1_500_000, "nanoseconds")).toBe("1.50 ms");
  expect(formatValue(1, "count")).toBe("1 sample");
  expect(formatValue(12_345, "count")).toBe("12,345 samples");
  expect(formatValue(2048, "bytes")).toBe("2.00 KiB");
});

test("shares and their differences keep small numbers visible", () => {
  expect([0, 0.00001, 0.005, 0.1234, 1].map(formatShare)).toEqual(["0%", "<0.01%", "0.50%", "12.3%", "100.0%"]);
  expect([0.012, -0.012, 0].map(formatPoints)).toEqual(["+1.20 points", "\u22121.20 points", "0.00 points"]);
  expect(formatMoney(1234.5, "USD")).toBe("1,235 USD");
});

test("a label is cut to the width with an ellipsis, or left out", () => {
  const measure = (part: string) => part.length * 6;
  expect(fitText("handler", 60, measure)).toBe("handler");
  expect(fitText("handler", 30, measure)).toBe("hand\u2026");
  expect(fitText("handler", 10, measure)).toBe("");
});

test("a node is told with self, total, share, price and, where there is one, its baseline", () => {
  const columns = aTree();
  expect(summarise(columns, 2)).toBe("work: 7 samples (70.0%)");
  expect(describeNode(columns, 2, { perUnitMonth: 2, currency: "USD" })).toEqual([
    ["Total", "7 samples (70.0%)"],
    ["Self", "1 sample (10.0%)"],
    ["Price per month", "14.00 USD"],
  ]);
  const both = columnsOf({ name: "all", base: 10, children: [{ name: "a", self: 5, base: 2 }] }, true);
  expect(describeNode(both, 1, null).slice(2)).toEqual([
    ["Baseline total", "2 samples (20.0%)"],
    ["Baseline self", "2 samples (20.0%)"],
    ["Change of share", "+80.00 points"],
  ]);
});
