import { expect, test } from "vitest";
import { hitTest, neighbour } from "../src/hit";
import { boxOf, buildLayout, buildView, rowTop } from "../src/layout";
import { aTree, columnsOf } from "./tree";

const columns = aTree();
const layout = buildLayout(columns);

test("the middle of every drawn box hits its own node, in icicle and flame, zoomed and not", () => {
  for (const flame of [false, true]) {
    for (const focus of [0, 2, 5]) {
      const view = buildView(columns, layout, focus, 1000, flame);
      for (let node = 0; node < 7; node++) {
        const box = boxOf(columns, layout, view, node);
        if (!box) continue;
        const y = rowTop(view, columns.depth[node]) + 10;
        expect(hitTest(columns, layout, view, box.x + box.width / 2, y)).toBe(node);
      }
    }
  }
});

test("beside a row's last box and outside the drawing there is nothing", () => {
  const view = buildView(columns, layout, 0, 1000, false);
  expect(hitTest(columns, layout, view, 650, 70)).toBe(-1);
  for (const [x, y] of [[-1, 5], [1000, 5], [5, -1], [5, 80]]) expect(hitTest(columns, layout, view, x, y)).toBe(-1);
});

test("a node without width does not hide the one that is drawn", () => {
  const tree = columnsOf({ name: "all", children: [{ name: "seen", self: 5 }, { name: "gone", self: 0 }, { name: "b", self: 5 }] });
  const view = buildView(tree, buildLayout(tree), 0, 100, false);
  expect(hitTest(tree, buildLayout(tree), view, 49, 25)).toBe(1);
  expect(hitTest(tree, buildLayout(tree), view, 51, 25)).toBe(3);
});

test("arrow keys follow the drawing: towards the leaf, the root, and the neighbours of a row", () => {
  const icicle = buildView(columns, layout, 0, 1000, false);
  expect(neighbour(columns, layout, icicle, 1, "down")).toBe(2);
  expect(neighbour(columns, layout, icicle, 2, "right")).toBe(5);
  expect(neighbour(columns, layout, icicle, 5, "right")).toBe(5);
  expect(neighbour(columns, layout, icicle, 6, "up")).toBe(5);
  expect(neighbour(columns, layout, icicle, 6, "down")).toBe(6);
  expect(neighbour(columns, layout, icicle, 0, "up")).toBe(0);
  const flame = buildView(columns, layout, 0, 1000, true);
  expect(neighbour(columns, layout, flame, 1, "up")).toBe(2);
  expect(neighbour(columns, layout, flame, 2, "down")).toBe(1);
});

test("arrow keys stay inside a zoomed view", () => {
  const view = buildView(columns, layout, 2, 1000, false);
  expect(neighbour(columns, layout, view, 2, "right")).toBe(2);
  expect(neighbour(columns, layout, view, 4, "right")).toBe(4);
  expect(neighbour(columns, layout, view, 0, "down")).toBe(1);
});
