// The Streamlit component (Components v2): Arrow columns in, the focus as state out.

import type { Columns, NumberColumn } from "./columns";
import { Flamegraph, type Options } from "./flamegraph";

interface ArrowTable {
  getChild(name: string): { toArray(): NumberColumn } | null;
}

interface Data {
  nodes: ArrowTable;
  strings: string[];
  answer: string; // changes when the answer does
  unit: string;
  total_value: number;
  base_total_value: number | null;
  folded: number;
  height_px: number;
  search: string;
  search_box: boolean;
  price_per_unit_month: number | null;
  currency: string;
}

interface Component {
  data: Data;
  parentElement: HTMLElement | ShadowRoot;
  setStateValue(name: string, value: unknown): void;
}

interface Instance {
  graph: Flamegraph;
  answer: string;
  columns: Columns;
}

const instances = new WeakMap<object, Instance>();

export default function render(component: Component): () => void {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector<HTMLElement>("[data-flamegraph]");
  if (!root) return () => undefined;
  const known = instances.get(parentElement);
  const columns = known && known.answer === data.answer ? known.columns : readColumns(data);
  const options: Options = {
    columns,
    heightPx: data.height_px,
    search: data.search,
    searchBox: data.search_box,
    price:
      data.price_per_unit_month === null
        ? null
        : { perUnitMonth: data.price_per_unit_month, currency: data.currency },
    onFocus: (path) => setStateValue("focus", path.length ? path : null),
    onSearch: null,
  };
  if (known) known.graph.update(options);
  const graph = known?.graph ?? new Flamegraph(root, options);
  instances.set(parentElement, { graph, answer: data.answer, columns });
  return () => {
    graph.destroy();
    instances.delete(parentElement);
  };
}

export function readColumns(data: Data): Columns {
  return {
    unit: data.unit,
    totalValue: data.total_value,
    folded: data.folded,
    strings: data.strings,
    depth: column(data.nodes, "depth"),
    parent: column(data.nodes, "parent"),
    name: column(data.nodes, "name"),
    file: column(data.nodes, "file"),
    start: column(data.nodes, "start"),
    total: column(data.nodes, "total"),
    self: column(data.nodes, "self"),
    baseTotalValue: data.base_total_value,
    baseTotal: data.nodes.getChild("base_total")?.toArray() ?? null,
    baseSelf: data.nodes.getChild("base_self")?.toArray() ?? null,
  };
}

function column(table: ArrowTable, name: string): NumberColumn {
  const found = table.getChild(name);
  if (!found) throw new Error(`the flame graph's data lacks the column ${name}`);
  return found.toArray();
}
