// What is told about one node: in the tooltip, and in short on the status line.

import { shareDifference } from "./colour";
import { fileOf, nameOf, shown, type Columns } from "./columns";
import { child } from "./dom";
import type { Matches } from "./search";
import { formatMoney, formatPoints, formatShare, formatValue } from "./text";

export interface Price {
  perUnitMonth: number; // what one unit of value costs a month
  currency: string;
}

const MARGIN_PX = 12;

// Returns label and text of each line below the name and the file.
export function describe(columns: Columns, node: number, price: Price | null): [string, string][] {
  const lines: [string, string][] = [
    ["Total", amount(columns.total[node], columns.totalValue, columns.unit)],
    ["Self", amount(columns.self[node], columns.totalValue, columns.unit)],
  ];
  if (columns.baseTotal && columns.baseSelf) {
    const base = columns.baseTotalValue ?? 0;
    lines.push(["Baseline total", amount(columns.baseTotal[node], base, columns.unit)]);
    lines.push(["Baseline self", amount(columns.baseSelf[node], base, columns.unit)]);
    lines.push(["Change of share", formatPoints(shareDifference(columns, node))]);
  }
  if (price) lines.push(["Price per month", formatMoney(columns.total[node] * price.perUnitMonth, price.currency)]);
  return lines;
}

// Returns a node in one line.
export function summarise(columns: Columns, node: number): string {
  return `${shown(nameOf(columns, node))}: ${amount(columns.total[node], columns.totalValue, columns.unit)}`;
}

// Returns the status line: the focus, what the search found, what was folded, and what the keyboard selected.
export function tellState(
  columns: Columns,
  focus: number,
  matches: Matches | null,
  selected: number,
  price: Price | null,
): string {
  const told = [summarise(columns, focus)];
  if (matches) {
    const frames = matches.count === 1 ? "1 frame matches" : `${matches.count} frames match`;
    told.push(`${frames}, ${formatShare(matches.share)} of the total`);
  }
  if (columns.folded) told.push(`${columns.folded.toLocaleString("en-US")} small frames are folded into (other)`);
  if (selected >= 0 && selected !== focus) {
    const facts = describe(columns, selected, price).map(([label, text]) => `${label.toLowerCase()} ${text}`);
    told.push(`selected ${shown(nameOf(columns, selected))}, ${facts.join(", ")}`);
  }
  return told.join(" \u00b7 ");
}

export function fillTooltip(tooltip: HTMLElement, columns: Columns, node: number, price: Price | null): void {
  tooltip.replaceChildren();
  child(tooltip, "div", "fg-tip-name", shown(nameOf(columns, node)));
  const file = fileOf(columns, node);
  if (file) child(tooltip, "div", "fg-tip-file", shown(file));
  const list = child(tooltip, "dl", "fg-tip-list");
  for (const [label, text] of describe(columns, node, price)) {
    child(list, "dt", "", label);
    child(list, "dd", "", text);
  }
}

// Puts the tooltip beside a point of its parent, inside the parent.
export function placeTooltip(tooltip: HTMLElement, x: number, y: number): void {
  const parent = tooltip.parentElement as HTMLElement;
  tooltip.hidden = false;
  const left = x + MARGIN_PX + tooltip.offsetWidth > parent.clientWidth ? x - MARGIN_PX - tooltip.offsetWidth : x + MARGIN_PX;
  const below = y + MARGIN_PX + tooltip.offsetHeight > parent.clientHeight;
  const top = below ? y - MARGIN_PX - tooltip.offsetHeight : y + MARGIN_PX;
  tooltip.style.left = `${Math.max(left, 0)}px`;
  tooltip.style.top = `${Math.max(top, 0)}px`;
}

function amount(value: number, whole: number, unit: string): string {
  return whole > 0 ? `${formatValue(value, unit)} (${formatShare(value / whole)})` : formatValue(value, unit);
}
