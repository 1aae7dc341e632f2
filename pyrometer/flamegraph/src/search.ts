// Which nodes a search finds, and what share of the whole they hold together.

import type { Columns } from "./columns";
import type { Layout } from "./layout";

export interface Matches {
  nodes: Uint8Array; // 1 where the node matches
  count: number;
  share: number; // of the root's total; a match inside a match counts once
}

// Returns the nodes whose function or file contains the text, in any case; null for an empty search.
export function findMatches(columns: Columns, layout: Layout, text: string): Matches | null {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return null;
  const found = columns.strings.map((candidate) => candidate.toLowerCase().includes(wanted));
  const nodes = new Uint8Array(columns.depth.length);
  let count = 0;
  let value = 0;
  let coveredUntil = 0;
  for (let node = 1; node < nodes.length; node++) {
    if (!found[columns.name[node]] && !found[columns.file[node]]) continue;
    nodes[node] = 1;
    count++;
    if (node >= coveredUntil) {
      value += columns.total[node];
      coveredUntil = layout.subtreeEnd[node];
    }
  }
  return { nodes, count, share: columns.totalValue > 0 ? value / columns.totalValue : 0 };
}
