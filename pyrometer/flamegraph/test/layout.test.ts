import { expect, test } from "vitest";
import { nodeAtPath, pathOf, shown } from "../src/columns";
import { boxOf, buildLayout, buildView, lowerBound, rowAt, rowRange, rowTop } from "../src/layout";
import { aTree } from "./tree";

const columns = aTree();
const layout = buildLayout(columns);

test("levels hold each depth's nodes in order, and subtrees end where the next node begins", () => {
  expect(layout.levels.map((level) => [...level])).toEqual([[0], [1], [2, 5], [3, 4, 6]]);
  expect([...layout.subtreeEnd]).toEqual([7, 7, 5, 4, 5, 7, 7]);
});

test("unzoomed, a box is its share of the width", () => {
  const view = buildView(columns, layout, 0, 1000, false);
  expect(boxOf(columns, layout, view, 2)).toEqual({ x: 0, width: 700 });
  expect(boxOf(columns, layout, view, 5)).toEqual({ x: 700, width: 300 });
  expect(view.rows).toBe(4);
});

test("zoomed, the focus and its ancestors take the whole width and strangers are not in the view", () => {
  const view = buildView(columns, layout, 2, 700, false);
  for (const node of [0, 1, 2]) expect(boxOf(columns, layout, view, node)).toEqual({ x: 0, width: 700 });
  expect(boxOf(columns, layout, view, 4)).toEqual({ x: 400, width: 200 });
  expect(boxOf(columns, layout, view, 5)).toBeNull();
  expect(boxOf(columns, layout, view, 6)).toBeNull();
  expect(rowRange(layout, view, 3)).toEqual([0, 2]);
});

test("rows go down from the root, or up from it in a flame", () => {
  const icicle = buildView(columns, layout, 0, 100, false);
  const flame = buildView(columns, layout, 0, 100, true);
  expect([rowTop(icicle, 0), rowTop(flame, 0)]).toEqual([0, 60]);
  for (const view of [icicle, flame]) expect(rowAt(view, rowTop(view, 2) + 19)).toBe(2);
});

test("a focus without value does not divide by zero", () => {
  const empty = { ...columns, total: columns.depth as number[], start: columns.depth as number[] };
  const view = buildView(empty, layout, 0, 100, false);
  expect(Number.isFinite(boxOf(empty, layout, view, 3)?.x)).toBe(true);
});

test("a path leads back to its node, and as far as it exists in other data", () => {
  expect(pathOf(columns, 6)).toEqual(["main", "idle", "read"]);
  expect(nodeAtPath(columns, ["main", "idle", "read"])).toBe(6);
  expect(nodeAtPath(columns, ["main", "idle", "gone", "read"])).toBe(5);
  expect(nodeAtPath(columns, [])).toBe(0);
});

test("the lower bound is the first position that is not below", () => {
  expect([0, 2, 3, 9].map((value) => lowerBound([2, 2, 5], value))).toEqual([0, 0, 2, 3]);
});

test("names lose control and direction characters, and what is too long", () => {
  expect(shown("a\u0000b\u202ec")).toBe("a\ufffdb\ufffdc");
  expect(shown("x".repeat(10_000)).length).toBe(401);
});
