// Builds columns from a nested tree, as pyrometer/tree.py lays them out.

import type { Columns } from "../src/columns";

export interface Node {
  name: string;
  file?: string;
  self?: number;
  base?: number;
  children?: Node[];
}

export function columnsOf(root: Node, withBaseline = false): Columns {
  const strings: string[] = [];
  const rows: Record<"depth" | "parent" | "name" | "file" | "start" | "total" | "self" | "base", number[]> = {
    depth: [],
    parent: [],
    name: [],
    file: [],
    start: [],
    total: [],
    self: [],
    base: [],
  };
  const text = (value: string) => (strings.includes(value) ? strings.indexOf(value) : strings.push(value) - 1);
  const total = (node: Node): number => (node.self ?? 0) + (node.children ?? []).reduce((sum, at) => sum + total(at), 0);
  const add = (node: Node, depth: number, parent: number, start: number): void => {
    const row = rows.depth.length;
    rows.depth.push(depth);
    rows.parent.push(parent);
    rows.name.push(text(node.name));
    rows.file.push(text(node.file ?? ""));
    rows.start.push(start);
    rows.total.push(total(node));
    rows.self.push(node.self ?? 0);
    rows.base.push(node.base ?? 0);
    let left = start;
    for (const at of node.children ?? []) {
      add(at, depth + 1, row, left);
      left += total(at);
    }
  };
  add(root, 0, 0, 0);
  return {
    ...rows,
    unit: "count",
    totalValue: rows.total[0],
    folded: 0,
    strings,
    baseTotalValue: withBaseline ? rows.base[0] : null,
    baseTotal: withBaseline ? rows.base : null,
    baseSelf: withBaseline ? rows.base : null,
  };
}

// all(10) > main(10) > [work(7) > [work(4), read(2)], idle(3) > read(3)]
export function aTree(): Columns {
  return columnsOf({
    name: "all",
    children: [
      {
        name: "main",
        file: "app.py",
        children: [
          {
            name: "work",
            file: "app.py",
            self: 1,
            children: [
              { name: "work", file: "app.py", self: 4 },
              { name: "read", file: "/lib/io.py", self: 2 },
            ],
          },
          { name: "idle", file: "app.py", children: [{ name: "read", file: "/lib/io.py", self: 3 }] },
        ],
      },
    ],
  });
}
