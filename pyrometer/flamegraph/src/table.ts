// The function table of the self-contained page: the flame graph's numbers for those who do not see it, too.

import { shown } from "./columns";
import { child } from "./dom";
import { formatShare, formatValue } from "./text";

// Function, file, self, total.
export type FunctionRow = [string, string, number, number];

export interface TableOptions {
  rows: FunctionRow[];
  rowsTotal: number;
  unit: string;
  totalValue: number;
  onPick(name: string): void;
}

const SHOWN_ROWS_MAX = 100;
const HEADINGS: [string, number][] = [
  ["Function", 0],
  ["Self", 2],
  ["Total", 3],
];

// Returns the rows that contain the text, by a column: names ascending, numbers descending.
export function pickRows(rows: readonly FunctionRow[], text: string, column: number): FunctionRow[] {
  const wanted = text.trim().toLowerCase();
  const found = rows.filter(
    ([name, file]) => !wanted || name.toLowerCase().includes(wanted) || file.toLowerCase().includes(wanted),
  );
  return found.sort((a, b) => (column === 0 ? compare(a[0], b[0]) : (b[column] as number) - (a[column] as number)));
}

export class FunctionTable {
  private readonly body: HTMLElement;
  private readonly note: HTMLElement;
  private readonly headings: HTMLElement[] = [];
  private column = 2;
  private text = "";

  constructor(
    root: HTMLElement,
    private readonly options: TableOptions,
  ) {
    const table = child(root, "table", "functions");
    const row = child(child(table, "thead", ""), "tr", "");
    for (const [label, column] of HEADINGS) {
      const heading = child(row, "th", column ? "number" : "");
      heading.scope = "col";
      const sort = child(heading, "button", "sort", label);
      sort.type = "button";
      sort.onclick = () => this.sort(column);
      this.headings.push(heading);
    }
    this.body = child(table, "tbody", "");
    this.note = child(root, "p", "note");
    this.fill();
  }

  filter(text: string): void {
    this.text = text;
    this.fill();
  }

  private sort(column: number): void {
    this.column = column;
    this.fill();
  }

  private fill(): void {
    HEADINGS.forEach(([, column], position) => {
      const order = column === this.column ? (column === 0 ? "ascending" : "descending") : "none";
      this.headings[position].setAttribute("aria-sort", order);
    });
    const found = pickRows(this.options.rows, this.text, this.column);
    this.body.replaceChildren();
    for (const row of found.slice(0, SHOWN_ROWS_MAX)) this.addRow(row);
    this.note.textContent = this.tell(Math.min(found.length, SHOWN_ROWS_MAX));
  }

  private tell(count: number): string {
    const { rowsTotal } = this.options;
    if (count === 0) return "No function matches.";
    return count === rowsTotal ? "" : `${count} of ${rowsTotal} functions are listed.`;
  }

  private addRow([name, file, self, total]: FunctionRow): void {
    const row = child(this.body, "tr", "");
    const first = child(row, "td", "function");
    const pick = child(first, "button", "pick", shown(name));
    pick.type = "button";
    pick.title = "Search for this function";
    pick.onclick = () => this.options.onPick(name);
    child(first, "span", "file", shown(file));
    this.addNumber(row, self);
    this.addNumber(row, total);
  }

  private addNumber(row: HTMLElement, value: number): void {
    const { unit, totalValue } = this.options;
    const share = totalValue > 0 ? value / totalValue : 0;
    const cell = child(row, "td", "number");
    child(cell, "span", "value", formatValue(value, unit));
    child(cell, "span", "share", formatShare(share));
    const bar = child(cell, "span", "bar");
    child(bar, "span", "fill").style.width = `${(share * 100).toFixed(2)}%`;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
