// Puts a view on a canvas. Only the rows in sight are walked, and nothing below half a pixel is drawn.

import { differenceColour, css, mix, moduleColour, shareDifference, textOn, type Rgb, type Scale } from "./colour";
import { nameOf, shown, type Columns } from "./columns";
import { ancestorAt, boxOf, HIDDEN_BELOW_PX, ROW_PX, rowRange, rowTop, type Layout, type View } from "./layout";
import type { Matches } from "./search";
import type { Theme } from "./theme";

const LABEL_FROM_PX = 26;
const LABEL_PADDING_PX = 5;
const GAP_PX = 1;

export interface Scene {
  columns: Columns;
  layout: Layout;
  view: View;
  theme: Theme;
  matches: Matches | null;
  scale: Scale | null; // present where a baseline is
  selected: number;
  hovered: number;
}

// Draws the part of the scene that lies from *top* for *height* pixels.
export function draw(context: CanvasRenderingContext2D, scene: Scene, top: number, height: number): void {
  const { columns, view } = scene;
  context.fillStyle = css(scene.theme.background);
  context.fillRect(0, 0, view.width, height);
  context.font = scene.theme.font;
  context.textBaseline = "middle";
  const focusDepth = columns.depth[view.focus];
  for (let depth = 0; depth < view.rows; depth++) {
    const y = rowTop(view, depth) - top;
    if (y + ROW_PX < 0 || y > height) continue;
    if (depth <= focusDepth) drawNode(context, scene, ancestorAt(columns, view.focus, depth), y);
    else drawRow(context, scene, depth, y);
  }
  for (const node of [scene.selected, scene.hovered]) drawOutline(context, scene, node, top);
}

function drawRow(context: CanvasRenderingContext2D, scene: Scene, depth: number, y: number): void {
  const level = scene.layout.levels[depth];
  const [first, end] = rowRange(scene.layout, scene.view, depth);
  for (let position = first; position < end; position++) drawNode(context, scene, level[position], y);
}

function drawNode(context: CanvasRenderingContext2D, scene: Scene, node: number, y: number): void {
  const box = boxOf(scene.columns, scene.layout, scene.view, node);
  if (!box || box.width < HIDDEN_BELOW_PX) return;
  const colour = nodeColour(scene, node);
  context.fillStyle = css(colour);
  const width = box.width > 3 * GAP_PX ? box.width - GAP_PX : box.width;
  context.fillRect(box.x, y, width, ROW_PX - GAP_PX);
  if (width >= LABEL_FROM_PX) {
    context.fillStyle = textOn(colour);
    context.globalAlpha = scene.matches && !scene.matches.nodes[node] ? 0.6 : 1;
    drawLabel(context, shown(nameOf(scene.columns, node)), box.x + LABEL_PADDING_PX, y, width - 2 * LABEL_PADDING_PX);
    context.globalAlpha = 1;
  }
}

export function nodeColour(scene: Scene, node: number): Rgb {
  const { columns, theme, scale, matches } = scene;
  const colour = scale
    ? differenceColour(node === 0 ? 0 : shareDifference(columns, node), scale)
    : moduleColour(columns, node, theme.dark);
  const isAncestor = columns.depth[node] < columns.depth[scene.view.focus];
  if (matches && !matches.nodes[node]) return mix(colour, theme.background, 0.78);
  return isAncestor ? mix(colour, theme.background, 0.5) : colour;
}

function drawLabel(context: CanvasRenderingContext2D, text: string, x: number, y: number, width: number): void {
  const label = fitText(text, width, (part) => context.measureText(part).width);
  if (label) context.fillText(label, x, y + ROW_PX / 2);
}

// Returns the text, or as much of it as fits with an ellipsis behind it; empty where not even two characters do.
export function fitText(text: string, width: number, measure: (part: string) => number): string {
  const full = measure(text);
  if (full <= width) return text;
  let length = Math.floor((text.length * width) / full);
  while (length >= 2) {
    const part = text.slice(0, length) + "\u2026";
    if (measure(part) <= width) return part;
    length -= 1;
  }
  return "";
}

function drawOutline(context: CanvasRenderingContext2D, scene: Scene, node: number, top: number): void {
  if (node < 0) return;
  const box = boxOf(scene.columns, scene.layout, scene.view, node);
  if (!box || box.width < HIDDEN_BELOW_PX) return;
  context.strokeStyle = css(scene.theme.text);
  context.lineWidth = node === scene.selected ? 2 : 1;
  const y = rowTop(scene.view, scene.columns.depth[node]) - top;
  context.strokeRect(box.x + 0.5, y + 0.5, Math.max(box.width - 2, 1), ROW_PX - 2);
}
