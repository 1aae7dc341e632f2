// The tree as it arrives: columns of one length, in pre-order, parents before children, node 0 the root.

export type NumberColumn = ArrayLike<number>;

export interface Columns {
  unit: string;
  totalValue: number;
  folded: number;
  strings: readonly string[];
  depth: NumberColumn;
  parent: NumberColumn;
  name: NumberColumn; // index into strings
  file: NumberColumn; // index into strings
  start: NumberColumn; // left edge, in unit
  total: NumberColumn; // width, in unit
  self: NumberColumn;
  baseTotalValue: number | null;
  baseTotal: NumberColumn | null;
  baseSelf: NumberColumn | null;
}

const SHOWN_LENGTH_MAX = 400;
// Control characters, and those that turn the direction of text: names are hostile.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

// Returns a name as it may be put on the screen.
export function shown(text: string): string {
  const cut = text.length > SHOWN_LENGTH_MAX ? text.slice(0, SHOWN_LENGTH_MAX) + "\u2026" : text;
  return cut.replace(INVISIBLE, "\ufffd");
}

export function nameOf(columns: Columns, node: number): string {
  return columns.strings[columns.name[node]] ?? "";
}

export function fileOf(columns: Columns, node: number): string {
  return columns.strings[columns.file[node]] ?? "";
}

// Returns the names from below the root down to the node; empty for the root.
export function pathOf(columns: Columns, node: number): string[] {
  const names: string[] = [];
  for (let at = node; at > 0; at = columns.parent[at]) names.push(nameOf(columns, at));
  return names.reverse();
}

// Returns the deepest node on a path of names, so that a focus outlives new data.
export function nodeAtPath(columns: Columns, path: readonly string[]): number {
  let found = 0;
  for (const name of path) {
    const child = childNamed(columns, found, name);
    if (child < 0) break;
    found = child;
  }
  return found;
}

function childNamed(columns: Columns, parent: number, name: string): number {
  const depth = columns.depth[parent];
  for (let at = parent + 1; at < columns.depth.length && columns.depth[at] > depth; at++) {
    if (columns.parent[at] === parent && nameOf(columns, at) === name) return at;
  }
  return -1;
}
