import { expect, test } from "vitest";
import { buildLayout } from "../src/layout";
import { findMatches } from "../src/search";
import { pickRows, type FunctionRow } from "../src/table";
import { aTree } from "./tree";

const columns = aTree();
const layout = buildLayout(columns);

test("a search finds functions in any case, and a match inside a match counts once", () => {
  const matches = findMatches(columns, layout, " WORK ");
  expect(matches?.count).toBe(2);
  expect(matches?.share).toBeCloseTo(0.7);
  expect([...(matches?.nodes ?? [])]).toEqual([0, 0, 1, 1, 0, 0, 0]);
});

test("a search finds files", () => {
  const matches = findMatches(columns, layout, "/lib/");
  expect(matches?.count).toBe(2);
  expect(matches?.share).toBeCloseTo(0.5);
});

test("no text is no search, and a text that is nowhere matches nothing", () => {
  expect(findMatches(columns, layout, "  ")).toBeNull();
  expect(findMatches(columns, layout, "nowhere")).toMatchObject({ count: 0, share: 0 });
});

test("regular expression characters are plain text", () => {
  expect(findMatches(columns, layout, ".*")).toMatchObject({ count: 0 });
});

test("table rows are picked by name or file and sorted by the chosen column", () => {
  const rows: FunctionRow[] = [["b", "x.py", 1, 9], ["a", "y.py", 2, 3], ["c", "x.py", 3, 5]];
  expect(pickRows(rows, "", 2).map((row) => row[0])).toEqual(["c", "a", "b"]);
  expect(pickRows(rows, "", 3).map((row) => row[0])).toEqual(["b", "c", "a"]);
  expect(pickRows(rows, "X.PY", 0).map((row) => row[0])).toEqual(["b", "c"]);
});
