// Which node lies under a point: the row by division, the node in it by binary search.

import type { Columns } from "./columns";
import { ancestorAt, boxOf, HIDDEN_BELOW_PX, rowAt, rowRange, type Layout, type View } from "./layout";

// Returns the node at a point of the drawing, or -1.
export function hitTest(columns: Columns, layout: Layout, view: View, x: number, y: number): number {
  const depth = rowAt(view, y);
  if (depth < 0 || depth >= view.rows || x < 0 || x >= view.width) return -1;
  if (depth <= columns.depth[view.focus]) return ancestorAt(columns, view.focus, depth);
  const level = layout.levels[depth];
  const [first, end] = rowRange(layout, view, depth);
  let low = first;
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    const box = boxOf(columns, layout, view, level[middle]);
    if (box && box.x <= x) low = middle + 1;
    else high = middle;
  }
  for (let position = low - 1; position >= first; position--) {
    const box = boxOf(columns, layout, view, level[position]);
    if (!box || box.x + box.width <= x) return -1;
    // A node without width shares its left edge with the one that is seen.
    if (box.width >= HIDDEN_BELOW_PX) return level[position];
  }
  return -1;
}

export type Direction = "up" | "down" | "left" | "right";

// Returns the node that an arrow key leads to: along the tree, whichever way up it is drawn.
export function neighbour(columns: Columns, layout: Layout, view: View, node: number, direction: Direction): number {
  const towardsLeaf = view.flame ? "up" : "down";
  if (direction === "left" || direction === "right") return sibling(columns, layout, view, node, direction);
  if (direction !== towardsLeaf) return node === 0 ? 0 : columns.parent[node];
  const depth = columns.depth[node];
  if (depth < columns.depth[view.focus]) return ancestorAt(columns, view.focus, depth + 1);
  const child = node + 1;
  return child < layout.subtreeEnd[node] && isSeen(columns, layout, view, child) ? child : node;
}

function sibling(columns: Columns, layout: Layout, view: View, node: number, direction: "left" | "right"): number {
  const depth = columns.depth[node];
  const level = layout.levels[depth];
  const step = direction === "left" ? -1 : 1;
  for (let at = level.indexOf(node) + step; at >= 0 && at < level.length; at += step) {
    if (isSeen(columns, layout, view, level[at])) return level[at];
  }
  return node;
}

function isSeen(columns: Columns, layout: Layout, view: View, node: number): boolean {
  const box = boxOf(columns, layout, view, node);
  return box !== null && box.width >= HIDDEN_BELOW_PX;
}
