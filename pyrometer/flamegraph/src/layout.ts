// Where nodes lie. A view shows the subtree of its focus in full width, below the focus's ancestors.

import type { Columns } from "./columns";

export const ROW_PX = 20;
export const HIDDEN_BELOW_PX = 0.5;

export interface Layout {
  levels: Int32Array[]; // nodes per depth, in order of their left edge
  subtreeEnd: Int32Array; // the first node after each node's subtree
}

export interface View {
  focus: number;
  width: number; // px
  flame: boolean; // the root at the bottom
  rows: number; // of the ancestors and the focus's subtree
}

export interface Box {
  x: number;
  width: number;
}

export function buildLayout(columns: Columns): Layout {
  const count = columns.depth.length;
  const levels: number[][] = [];
  const subtreeEnd = new Int32Array(count).fill(count);
  const open: number[] = [];
  for (let node = 0; node < count; node++) {
    const depth = columns.depth[node];
    while (open.length > depth) subtreeEnd[open.pop() as number] = node;
    open.push(node);
    (levels[depth] ??= []).push(node);
  }
  return { levels: levels.map((nodes) => Int32Array.from(nodes)), subtreeEnd };
}

export function buildView(columns: Columns, layout: Layout, focus: number, width: number, flame: boolean): View {
  let deepest = columns.depth[focus] ?? 0;
  for (let node = focus; node < (layout.subtreeEnd[focus] ?? 0); node++) {
    if (columns.depth[node] > deepest) deepest = columns.depth[node];
  }
  return { focus, width, flame, rows: deepest + 1 };
}

// Returns the ancestor of the focus (or the focus) on a row at or above it.
export function ancestorAt(columns: Columns, focus: number, depth: number): number {
  let node = focus;
  while (columns.depth[node] > depth) node = columns.parent[node];
  return node;
}

// Returns a node's box; the focus and its ancestors take the full width. Outside the view: null.
export function boxOf(columns: Columns, layout: Layout, view: View, node: number): Box | null {
  const focus = view.focus;
  if (node === focus || (node < focus && layout.subtreeEnd[node] > focus)) return { x: 0, width: view.width };
  if (node < focus || node >= layout.subtreeEnd[focus]) return null;
  const scale = view.width / (columns.total[focus] || 1);
  return { x: (columns.start[node] - columns.start[focus]) * scale, width: columns.total[node] * scale };
}

// Returns the nodes of a row that lie in the view: a range of positions in its level.
export function rowRange(layout: Layout, view: View, depth: number): [number, number] {
  const level = layout.levels[depth];
  if (!level) return [0, 0];
  return [lowerBound(level, view.focus), lowerBound(level, layout.subtreeEnd[view.focus])];
}

export function rowTop(view: View, depth: number): number {
  return (view.flame ? view.rows - 1 - depth : depth) * ROW_PX;
}

export function rowAt(view: View, y: number): number {
  const row = Math.floor(y / ROW_PX);
  return view.flame ? view.rows - 1 - row : row;
}

// Returns the first position whose value is not below the given one, in an ascending array.
export function lowerBound(values: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
