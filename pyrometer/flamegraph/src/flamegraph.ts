// The flame graph in the page: keeps its state, draws when something changed, answers mouse and keyboard.

import { differenceScale, legendGradient, type Scale } from "./colour";
import { nameOf, nodeAtPath, pathOf, type Columns } from "./columns";
import { buildParts, type Parts } from "./dom";
import { draw } from "./draw";
import { hitTest, neighbour, type Direction } from "./hit";
import { buildLayout, buildView, ROW_PX, rowTop, type Layout, type View } from "./layout";
import { findMatches, type Matches } from "./search";
import { formatPoints, formatValue } from "./text";
import { readTheme } from "./theme";
import { fillTooltip, placeTooltip, tellState, type Price } from "./tooltip";

export interface Options {
  columns: Columns;
  heightPx: number | null; // null: as high as the tree, up to HEIGHT_MAX_PX
  search: string;
  searchBox: boolean; // false where the page around has a search of its own
  price: Price | null;
  onFocus: ((path: string[]) => void) | null;
  onSearch: ((text: string) => void) | null;
}

// A canvas of many thousand pixels is not drawn at all by some browsers: a higher tree scrolls.
const HEIGHT_MAX_PX = 2000;

const ARROWS: Record<string, Direction> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};

export class Flamegraph {
  private readonly parts: Parts;
  private readonly observer: ResizeObserver;
  private options: Options;
  private layout: Layout;
  private view: View;
  private scale: Scale | null = null;
  private matches: Matches | null = null;
  private givenSearch: string;
  private selected = -1;
  private hovered = -1;
  private frame = 0;

  constructor(root: HTMLElement, options: Options) {
    this.parts = buildParts(root);
    this.options = options;
    this.givenSearch = options.search;
    this.parts.search.value = options.search;
    this.layout = buildLayout(options.columns);
    this.view = buildView(options.columns, this.layout, 0, this.parts.scroller.clientWidth, false);
    this.listen();
    this.observer = new ResizeObserver(() => this.refresh());
    this.observer.observe(this.parts.scroller);
    this.load();
  }

  // Takes new data or options; the same ones change nothing. The focus stays on its path as far as it still exists.
  update(options: Options): void {
    const before = this.options.columns;
    this.options = options;
    if (options.search !== this.givenSearch) {
      this.givenSearch = options.search;
      this.parts.search.value = options.search;
    }
    if (options.columns !== before) {
      const focus = nodeAtPath(options.columns, pathOf(before, this.view.focus));
      this.layout = buildLayout(options.columns);
      this.view = { ...this.view, focus };
      this.selected = this.hovered = -1;
      this.parts.tooltip.hidden = true;
    }
    this.load();
  }

  destroy(): void {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.parts.root.replaceChildren();
    this.parts.root.removeAttribute("data-ready");
  }

  setSearch(text: string): void {
    this.parts.search.value = text;
    this.search();
  }

  // Draws again, with the colours that hold now.
  redraw(): void {
    this.schedule();
  }

  focusSearch(): void {
    this.parts.search.focus();
    this.parts.search.select();
  }

  // Shows a node and what is below it in full width; 0 shows everything.
  zoom(node: number): void {
    if (node < 0 || node === this.view.focus) return;
    this.view = { ...this.view, focus: node };
    if (this.selected >= 0) this.selected = node;
    this.leave();
    this.refresh();
    this.reveal(node);
    this.options.onFocus?.(pathOf(this.options.columns, node));
  }

  private load(): void {
    const { columns, heightPx } = this.options;
    this.scale = columns.baseTotal ? differenceScale(columns) : null;
    this.parts.root.style.height = heightPx === null ? "" : `${heightPx}px`;
    this.parts.legend.hidden = this.scale === null;
    this.parts.search.hidden = !this.options.searchBox;
    if (this.scale) {
      this.parts.legendScale.style.background = legendGradient(this.scale);
      this.parts.legendLess.textContent = `less, ${formatPoints(-this.scale.largest)}`;
      this.parts.legendMore.textContent = `more, ${formatPoints(this.scale.largest)}`;
    }
    this.matches = findMatches(columns, this.layout, this.parts.search.value);
    const total = formatValue(columns.totalValue, columns.unit);
    this.parts.canvas.setAttribute("aria-label", `Flame graph, ${columns.depth.length} nodes, total ${total}`);
    this.refresh();
  }

  private search(): void {
    this.matches = findMatches(this.options.columns, this.layout, this.parts.search.value);
    this.options.onSearch?.(this.parts.search.value);
    this.refresh();
  }

  private listen(): void {
    const { canvas, scroller, search, flip, reset } = this.parts;
    search.oninput = () => this.search();
    search.onkeydown = (event) => {
      if (event.key === "Escape") this.setSearch("");
      if (event.key === "Escape" || event.key === "Enter") canvas.focus({ preventScroll: true });
    };
    flip.onclick = () => this.flip();
    reset.onclick = () => this.zoom(0);
    scroller.onscroll = () => {
      this.leave();
      this.schedule();
    };
    canvas.onmousemove = (event) => this.hover(event);
    canvas.onmouseleave = () => this.leave();
    canvas.onclick = (event) => this.zoom(this.nodeAt(event));
    canvas.onkeydown = (event) => this.key(event);
    canvas.onblur = () => this.select(-1);
  }

  private flip(): void {
    this.view = { ...this.view, flame: !this.view.flame };
    this.parts.flip.textContent = this.view.flame ? "Root at the top" : "Root at the bottom";
    this.refresh();
    this.parts.scroller.scrollTop = this.view.flame ? this.parts.scroller.scrollHeight : 0;
  }

  private key(event: KeyboardEvent): void {
    const { columns } = this.options;
    const direction = ARROWS[event.key];
    const at = this.selected < 0 ? this.view.focus : this.selected;
    if (direction) {
      this.select(this.selected < 0 ? at : neighbour(columns, this.layout, this.view, at, direction));
      this.reveal(this.selected);
    } else if (event.key === "Enter") this.zoom(at);
    else if (event.key === "Escape") this.zoom(0);
    else if (event.key === "/") this.focusSearch();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private select(node: number): void {
    if (node === this.selected) return;
    this.selected = node;
    this.schedule();
    this.report();
  }

  private reveal(node: number): void {
    const { scroller } = this.parts;
    const y = rowTop(this.view, this.options.columns.depth[node]);
    if (y < scroller.scrollTop) scroller.scrollTop = y;
    else if (y + ROW_PX > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = y + ROW_PX - scroller.clientHeight;
    }
  }

  private nodeAt(event: MouseEvent): number {
    const box = this.parts.canvas.getBoundingClientRect();
    const y = event.clientY - box.top + this.parts.scroller.scrollTop;
    return hitTest(this.options.columns, this.layout, this.view, event.clientX - box.left, y);
  }

  private hover(event: MouseEvent): void {
    const node = this.nodeAt(event);
    const { canvas, root, tooltip } = this.parts;
    canvas.style.cursor = node >= 0 ? "pointer" : "default";
    if (node < 0) return this.leave();
    if (node !== this.hovered) {
      this.hovered = node;
      fillTooltip(tooltip, this.options.columns, node, this.options.price);
      this.schedule();
    }
    const box = root.getBoundingClientRect();
    placeTooltip(tooltip, event.clientX - box.left, event.clientY - box.top);
  }

  private leave(): void {
    this.parts.tooltip.hidden = true;
    if (this.hovered >= 0) this.schedule();
    this.hovered = -1;
  }

  // Lays out anew and tells the state; the drawing follows with the next animation frame.
  private refresh(): void {
    const { columns } = this.options;
    const { scroller, spacer } = this.parts;
    this.view = buildView(columns, this.layout, this.view.focus, scroller.clientWidth, this.view.flame);
    const height = this.view.rows * ROW_PX;
    if (this.options.heightPx === null) scroller.style.height = `${Math.min(height, HEIGHT_MAX_PX)}px`;
    spacer.style.height = `${height}px`;
    this.report();
    this.schedule();
  }

  private report(): void {
    const { columns } = this.options;
    const { root, status, reset } = this.parts;
    const focus = this.view.focus;
    reset.disabled = focus === 0;
    root.dataset.nodes = String(columns.depth.length);
    root.dataset.focus = nameOf(columns, focus);
    root.dataset.matches = String(this.matches?.count ?? 0);
    root.dataset.matchedShare = (this.matches?.share ?? 0).toFixed(4);
    status.textContent = tellState(columns, focus, this.matches, this.selected, this.options.price);
  }

  private schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const { canvas, scroller, root } = this.parts;
    const height = Math.min(scroller.clientHeight, this.view.rows * ROW_PX);
    const ratio = window.devicePixelRatio || 1;
    const [pixelWidth, pixelHeight] = [Math.round(this.view.width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
      canvas.width = pixelWidth;
      canvas.height = pixelHeight;
      canvas.style.width = `${this.view.width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { columns } = this.options;
    const { layout, view, matches, scale, selected, hovered } = this;
    const scene = { columns, layout, view, theme: readTheme(root), matches, scale, selected, hovered };
    draw(context, scene, scroller.scrollTop, height);
    root.dataset.ready = "true";
  }
}
