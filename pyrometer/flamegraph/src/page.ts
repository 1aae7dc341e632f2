// The self-contained page: reads its data block, fills in the facts, and joins flame graph and function table.

import type { Columns } from "./columns";
import { child } from "./dom";
import { Flamegraph } from "./flamegraph";
import { FunctionTable, type FunctionRow } from "./table";

interface PageData {
  title: string;
  facts: [string, string][];
  functions: FunctionRow[];
  functions_total: number;
  tree: {
    unit: string;
    total_value: number;
    folded: number;
    strings: string[];
    depth: number[];
    parent: number[];
    name: number[];
    file: number[];
    start: number[];
    total: number[];
    self: number[];
  };
}

function readColumns(tree: PageData["tree"]): Columns {
  const { total_value: totalValue, ...columns } = tree;
  return { ...columns, totalValue, baseTotalValue: null, baseTotal: null, baseSelf: null };
}

function part(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found;
}

function start(): void {
  const data = JSON.parse(part("data").textContent ?? "") as PageData;
  part("title").textContent = data.title;
  for (const [label, text] of data.facts) {
    const fact = child(part("facts"), "div", "fact");
    child(fact, "dt", "", label);
    child(fact, "dd", "", text);
  }
  if (data.tree.total_value <= 0) {
    part("empty").hidden = false;
    part("recorded").hidden = true;
    return;
  }
  const columns = readColumns(data.tree);
  const table = new FunctionTable(part("functions"), {
    rows: data.functions,
    rowsTotal: data.functions_total,
    unit: columns.unit,
    totalValue: columns.totalValue,
    onPick: (name) => graph.setSearch(name),
  });
  const graph = new Flamegraph(part("flamegraph"), {
    columns,
    heightPx: null,
    search: "",
    searchBox: true,
    price: null,
    onFocus: null,
    onSearch: (text) => table.filter(text),
  });
  const redraw = () => graph.redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") graph.focusSearch();
    else if (event.key === "Escape") graph.zoom(0);
    else return;
    event.preventDefault();
  });
}

start();
