// Built from pyrometer/flamegraph/src by `npm run build`: edit there.
"use strict";
(() => {
  // src/dom.ts
  function buildParts(root) {
    root.replaceChildren();
    root.classList.add("fg");
    const bar = child(root, "div", "fg-bar");
    const search = child(bar, "input", "fg-search");
    search.type = "search";
    search.placeholder = "Search functions and files";
    search.setAttribute("aria-label", "Search functions and files");
    search.spellcheck = false;
    const legend = child(bar, "div", "fg-legend");
    const legendLess = child(legend, "span", "fg-legend-end");
    const legendScale = child(legend, "span", "fg-legend-scale");
    const legendMore = child(legend, "span", "fg-legend-end");
    const flip = button(bar, "Root at the bottom");
    const reset = button(bar, "Reset zoom");
    const scroller = child(root, "div", "fg-scroller");
    const canvas = child(scroller, "canvas", "fg-canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    const spacer = child(scroller, "div", "fg-spacer");
    const status = child(root, "div", "fg-status");
    status.setAttribute("role", "status");
    const tooltip = child(root, "div", "fg-tooltip");
    tooltip.hidden = true;
    return {
      ...{ root, search, flip, reset, legend, legendLess, legendScale, legendMore },
      ...{ scroller, canvas, spacer, status, tooltip }
    };
  }
  function child(parent, tag, className, text = "") {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    parent.append(element);
    return element;
  }
  function button(parent, text) {
    const element = child(parent, "button", "fg-button", text);
    element.type = "button";
    return element;
  }

  // src/columns.ts
  var SHOWN_LENGTH_MAX = 400;
  var INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  function shown(text) {
    const cut = text.length > SHOWN_LENGTH_MAX ? text.slice(0, SHOWN_LENGTH_MAX) + "\u2026" : text;
    return cut.replace(INVISIBLE, "\uFFFD");
  }
  function nameOf(columns, node) {
    return columns.strings[columns.name[node]] ?? "";
  }
  function fileOf(columns, node) {
    return columns.strings[columns.file[node]] ?? "";
  }
  function pathOf(columns, node) {
    const names = [];
    for (let at = node; at > 0; at = columns.parent[at]) names.push(nameOf(columns, at));
    return names.reverse();
  }
  function nodeAtPath(columns, path) {
    let found = 0;
    for (const name of path) {
      const child2 = childNamed(columns, found, name);
      if (child2 < 0) break;
      found = child2;
    }
    return found;
  }
  function childNamed(columns, parent, name) {
    const depth = columns.depth[parent];
    for (let at = parent + 1; at < columns.depth.length && columns.depth[at] > depth; at++) {
      if (columns.parent[at] === parent && nameOf(columns, at) === name) return at;
    }
    return -1;
  }

  // src/colour.ts
  var LESS = [26, 133, 255];
  var ALIKE = [148, 142, 142];
  var MORE = [220, 50, 32];
  var DIFFERENCE_FLOOR = 1e-3;
  function hashText(text) {
    let hash = 2166136261;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
    hash = Math.imul(hash ^ hash >>> 15, 739982445);
    return (hash ^ hash >>> 13) >>> 0;
  }
  function moduleColour(columns, node, dark) {
    const name = nameOf(columns, node);
    const file = fileOf(columns, node);
    if (node === 0 || !file && /^[([].*[)\]]$/.test(name)) return dark ? [72, 72, 78] : [214, 211, 206];
    const module = hashText(file || name);
    const hue = (348 + module % 70) % 360;
    const saturation = 0.62 + (module >>> 8) % 20 / 100;
    const step = hashText(name) % 7 - 3;
    return hslToRgb(hue, dark ? saturation * 0.72 : saturation, (dark ? 0.37 : 0.73) + step * 0.012);
  }
  function shareDifference(columns, node) {
    if (!columns.baseTotal) return 0;
    const share = columns.totalValue > 0 ? columns.total[node] / columns.totalValue : 0;
    const base = columns.baseTotalValue ? columns.baseTotal[node] / columns.baseTotalValue : 0;
    return share - base;
  }
  function differenceScale(columns) {
    let largest = DIFFERENCE_FLOOR;
    for (let node = 1; node < columns.depth.length; node++) {
      largest = Math.max(largest, Math.abs(shareDifference(columns, node)));
    }
    return { largest };
  }
  function differenceColour(difference, scale) {
    const strength = Math.sqrt(Math.min(Math.abs(difference) / scale.largest, 1));
    return mix(ALIKE, difference < 0 ? LESS : MORE, strength);
  }
  function legendGradient(scale) {
    const steps = Array.from({ length: 21 }, (_, step) => (step / 10 - 1) * scale.largest);
    return `linear-gradient(to right, ${steps.map((difference) => css(differenceColour(difference, scale))).join(", ")})`;
  }
  function mix(from, to, part2) {
    const between = (a, b) => Math.round(a + (b - a) * part2);
    return [between(from[0], to[0]), between(from[1], to[1]), between(from[2], to[2])];
  }
  function css(colour) {
    return `rgb(${colour[0]},${colour[1]},${colour[2]})`;
  }
  function luminance(colour) {
    const [r, g, b] = colour.map((channel) => {
      const c = channel / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function textOn(colour) {
    return luminance(colour) > 0.2 ? "rgb(28,25,23)" : "rgb(255,252,248)";
  }
  function parseColour(text, otherwise) {
    const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [];
    if (numbers.length < 3 || numbers.length > 3 && numbers[3] === 0) return otherwise;
    const scale = text.startsWith("color(") ? 255 : 1;
    return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale];
  }
  function hslToRgb(hue, saturation, lightness) {
    const a = saturation * Math.min(lightness, 1 - lightness);
    const channel = (n) => {
      const k = (n + hue / 30) % 12;
      return Math.round(255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    };
    return [channel(0), channel(8), channel(4)];
  }

  // src/layout.ts
  var ROW_PX = 20;
  var HIDDEN_BELOW_PX = 0.5;
  function buildLayout(columns) {
    const count = columns.depth.length;
    const levels = [];
    const subtreeEnd = new Int32Array(count).fill(count);
    const open = [];
    for (let node = 0; node < count; node++) {
      const depth = columns.depth[node];
      while (open.length > depth) subtreeEnd[open.pop()] = node;
      open.push(node);
      (levels[depth] ??= []).push(node);
    }
    return { levels: levels.map((nodes) => Int32Array.from(nodes)), subtreeEnd };
  }
  function buildView(columns, layout, focus, width, flame) {
    let deepest = columns.depth[focus] ?? 0;
    for (let node = focus; node < (layout.subtreeEnd[focus] ?? 0); node++) {
      if (columns.depth[node] > deepest) deepest = columns.depth[node];
    }
    return { focus, width, flame, rows: deepest + 1 };
  }
  function ancestorAt(columns, focus, depth) {
    let node = focus;
    while (columns.depth[node] > depth) node = columns.parent[node];
    return node;
  }
  function boxOf(columns, layout, view, node) {
    const focus = view.focus;
    if (node === focus || node < focus && layout.subtreeEnd[node] > focus) return { x: 0, width: view.width };
    if (node < focus || node >= layout.subtreeEnd[focus]) return null;
    const scale = view.width / (columns.total[focus] || 1);
    return { x: (columns.start[node] - columns.start[focus]) * scale, width: columns.total[node] * scale };
  }
  function rowRange(layout, view, depth) {
    const level = layout.levels[depth];
    if (!level) return [0, 0];
    return [lowerBound(level, view.focus), lowerBound(level, layout.subtreeEnd[view.focus])];
  }
  function rowTop(view, depth) {
    return (view.flame ? view.rows - 1 - depth : depth) * ROW_PX;
  }
  function rowAt(view, y) {
    const row = Math.floor(y / ROW_PX);
    return view.flame ? view.rows - 1 - row : row;
  }
  function lowerBound(values, value) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = low + high >> 1;
      if (values[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // src/draw.ts
  var LABEL_FROM_PX = 26;
  var LABEL_PADDING_PX = 5;
  var GAP_PX = 1;
  function draw(context, scene, top, height) {
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
  function drawRow(context, scene, depth, y) {
    const level = scene.layout.levels[depth];
    const [first, end] = rowRange(scene.layout, scene.view, depth);
    for (let position = first; position < end; position++) drawNode(context, scene, level[position], y);
  }
  function drawNode(context, scene, node, y) {
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
  function nodeColour(scene, node) {
    const { columns, theme, scale, matches } = scene;
    const colour = scale ? differenceColour(node === 0 ? 0 : shareDifference(columns, node), scale) : moduleColour(columns, node, theme.dark);
    const isAncestor = columns.depth[node] < columns.depth[scene.view.focus];
    if (matches && !matches.nodes[node]) return mix(colour, theme.background, 0.78);
    return isAncestor ? mix(colour, theme.background, 0.5) : colour;
  }
  function drawLabel(context, text, x, y, width) {
    const label = fitText(text, width, (part2) => context.measureText(part2).width);
    if (label) context.fillText(label, x, y + ROW_PX / 2);
  }
  function fitText(text, width, measure) {
    const full = measure(text);
    if (full <= width) return text;
    let length = Math.floor(text.length * width / full);
    while (length >= 2) {
      const part2 = text.slice(0, length) + "\u2026";
      if (measure(part2) <= width) return part2;
      length -= 1;
    }
    return "";
  }
  function drawOutline(context, scene, node, top) {
    if (node < 0) return;
    const box = boxOf(scene.columns, scene.layout, scene.view, node);
    if (!box || box.width < HIDDEN_BELOW_PX) return;
    context.strokeStyle = css(scene.theme.text);
    context.lineWidth = node === scene.selected ? 2 : 1;
    const y = rowTop(scene.view, scene.columns.depth[node]) - top;
    context.strokeRect(box.x + 0.5, y + 0.5, Math.max(box.width - 2, 1), ROW_PX - 2);
  }

  // src/hit.ts
  function hitTest(columns, layout, view, x, y) {
    const depth = rowAt(view, y);
    if (depth < 0 || depth >= view.rows || x < 0 || x >= view.width) return -1;
    if (depth <= columns.depth[view.focus]) return ancestorAt(columns, view.focus, depth);
    const level = layout.levels[depth];
    const [first, end] = rowRange(layout, view, depth);
    let low = first;
    let high = end;
    while (low < high) {
      const middle = low + high >> 1;
      const box = boxOf(columns, layout, view, level[middle]);
      if (box && box.x <= x) low = middle + 1;
      else high = middle;
    }
    for (let position = low - 1; position >= first; position--) {
      const box = boxOf(columns, layout, view, level[position]);
      if (!box || box.x + box.width <= x) return -1;
      if (box.width >= HIDDEN_BELOW_PX) return level[position];
    }
    return -1;
  }
  function neighbour(columns, layout, view, node, direction) {
    const towardsLeaf = view.flame ? "up" : "down";
    if (direction === "left" || direction === "right") return sibling(columns, layout, view, node, direction);
    if (direction !== towardsLeaf) return node === 0 ? 0 : columns.parent[node];
    const depth = columns.depth[node];
    if (depth < columns.depth[view.focus]) return ancestorAt(columns, view.focus, depth + 1);
    const child2 = node + 1;
    return child2 < layout.subtreeEnd[node] && isSeen(columns, layout, view, child2) ? child2 : node;
  }
  function sibling(columns, layout, view, node, direction) {
    const depth = columns.depth[node];
    const level = layout.levels[depth];
    const step = direction === "left" ? -1 : 1;
    for (let at = level.indexOf(node) + step; at >= 0 && at < level.length; at += step) {
      if (isSeen(columns, layout, view, level[at])) return level[at];
    }
    return node;
  }
  function isSeen(columns, layout, view, node) {
    const box = boxOf(columns, layout, view, node);
    return box !== null && box.width >= HIDDEN_BELOW_PX;
  }

  // src/search.ts
  function findMatches(columns, layout, text) {
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

  // src/text.ts
  var NS_PER_S = 1e9;
  function formatValue(value, unit) {
    if (unit === "nanoseconds") return formatDuration(value / NS_PER_S);
    if (unit === "count") return `${value.toLocaleString("en-US")} ${value === 1 ? "sample" : "samples"}`;
    if (unit === "bytes") return formatBytes(value);
    return `${value.toLocaleString("en-US")} ${unit}`;
  }
  function formatDuration(seconds) {
    const magnitude = Math.abs(seconds);
    if (magnitude === 0) return "0 s";
    if (magnitude < 1e-3) return `${threeDigits(seconds * 1e6)} \xB5s`;
    if (magnitude < 1) return `${threeDigits(seconds * 1e3)} ms`;
    if (magnitude < 120) return `${threeDigits(seconds)} s`;
    if (magnitude < 7200) return `${threeDigits(seconds / 60)} min`;
    return `${threeDigits(seconds / 3600)} h`;
  }
  function formatShare(share) {
    const percent = share * 100;
    const magnitude = Math.abs(percent);
    if (magnitude === 0) return "0%";
    if (magnitude < 0.01) return percent < 0 ? ">-0.01%" : "<0.01%";
    return `${percent.toFixed(magnitude < 1 ? 2 : 1)}%`;
  }
  function formatPoints(difference) {
    const points = difference * 100;
    return `${points > 0 ? "+" : points < 0 ? "\u2212" : ""}${Math.abs(points).toFixed(2)} points`;
  }
  function formatMoney(amount2, currency) {
    const digits = Math.abs(amount2) < 1e3 ? 2 : 0;
    const number = amount2.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return `${number} ${currency}`;
  }
  function formatBytes(count) {
    let value = count;
    for (const unit of ["B", "KiB", "MiB", "GiB"]) {
      if (Math.abs(value) < 1024) return unit === "B" ? `${value.toFixed(0)} B` : `${threeDigits(value)} ${unit}`;
      value /= 1024;
    }
    return `${threeDigits(value)} TiB`;
  }
  function threeDigits(value) {
    const magnitude = Math.abs(value);
    return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2);
  }

  // src/theme.ts
  function readTheme(root) {
    const style = getComputedStyle(root);
    const background = parseColour(style.backgroundColor, [255, 255, 255]);
    const text = parseColour(style.color, [30, 30, 30]);
    return { dark: luminance(background) < 0.2, background, text, font: `12px ${style.fontFamily}` };
  }

  // src/tooltip.ts
  var MARGIN_PX = 12;
  function describe(columns, node, price) {
    const lines = [
      ["Total", amount(columns.total[node], columns.totalValue, columns.unit)],
      ["Self", amount(columns.self[node], columns.totalValue, columns.unit)]
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
  function summarise(columns, node) {
    return `${shown(nameOf(columns, node))}: ${amount(columns.total[node], columns.totalValue, columns.unit)}`;
  }
  function tellState(columns, focus, matches, selected, price) {
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
    return told.join(" \xB7 ");
  }
  function fillTooltip(tooltip, columns, node, price) {
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
  function placeTooltip(tooltip, x, y) {
    const parent = tooltip.parentElement;
    tooltip.hidden = false;
    const left = x + MARGIN_PX + tooltip.offsetWidth > parent.clientWidth ? x - MARGIN_PX - tooltip.offsetWidth : x + MARGIN_PX;
    const below = y + MARGIN_PX + tooltip.offsetHeight > parent.clientHeight;
    const top = below ? y - MARGIN_PX - tooltip.offsetHeight : y + MARGIN_PX;
    tooltip.style.left = `${Math.max(left, 0)}px`;
    tooltip.style.top = `${Math.max(top, 0)}px`;
  }
  function amount(value, whole, unit) {
    return whole > 0 ? `${formatValue(value, unit)} (${formatShare(value / whole)})` : formatValue(value, unit);
  }

  // src/flamegraph.ts
  var HEIGHT_MAX_PX = 2e3;
  var ARROWS = {
    ArrowUp: "up",
    ArrowDown: "down",
    ArrowLeft: "left",
    ArrowRight: "right"
  };
  var Flamegraph = class {
    parts;
    observer;
    options;
    layout;
    view;
    scale = null;
    matches = null;
    givenSearch;
    selected = -1;
    hovered = -1;
    frame = 0;
    constructor(root, options) {
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
    update(options) {
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
    destroy() {
      this.observer.disconnect();
      cancelAnimationFrame(this.frame);
      this.parts.root.replaceChildren();
      this.parts.root.removeAttribute("data-ready");
    }
    setSearch(text) {
      this.parts.search.value = text;
      this.search();
    }
    // Draws again, with the colours that hold now.
    redraw() {
      this.schedule();
    }
    focusSearch() {
      this.parts.search.focus();
      this.parts.search.select();
    }
    // Shows a node and what is below it in full width; 0 shows everything.
    zoom(node) {
      if (node < 0 || node === this.view.focus) return;
      this.view = { ...this.view, focus: node };
      if (this.selected >= 0) this.selected = node;
      this.leave();
      this.refresh();
      this.reveal(node);
      this.options.onFocus?.(pathOf(this.options.columns, node));
    }
    load() {
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
    search() {
      this.matches = findMatches(this.options.columns, this.layout, this.parts.search.value);
      this.options.onSearch?.(this.parts.search.value);
      this.refresh();
    }
    listen() {
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
    flip() {
      this.view = { ...this.view, flame: !this.view.flame };
      this.parts.flip.textContent = this.view.flame ? "Root at the top" : "Root at the bottom";
      this.refresh();
      this.parts.scroller.scrollTop = this.view.flame ? this.parts.scroller.scrollHeight : 0;
    }
    key(event) {
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
    select(node) {
      if (node === this.selected) return;
      this.selected = node;
      this.schedule();
      this.report();
    }
    reveal(node) {
      const { scroller } = this.parts;
      const y = rowTop(this.view, this.options.columns.depth[node]);
      if (y < scroller.scrollTop) scroller.scrollTop = y;
      else if (y + ROW_PX > scroller.scrollTop + scroller.clientHeight) {
        scroller.scrollTop = y + ROW_PX - scroller.clientHeight;
      }
    }
    nodeAt(event) {
      const box = this.parts.canvas.getBoundingClientRect();
      const y = event.clientY - box.top + this.parts.scroller.scrollTop;
      return hitTest(this.options.columns, this.layout, this.view, event.clientX - box.left, y);
    }
    hover(event) {
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
    leave() {
      this.parts.tooltip.hidden = true;
      if (this.hovered >= 0) this.schedule();
      this.hovered = -1;
    }
    // Lays out anew and tells the state; the drawing follows with the next animation frame.
    refresh() {
      const { columns } = this.options;
      const { scroller, spacer } = this.parts;
      this.view = buildView(columns, this.layout, this.view.focus, scroller.clientWidth, this.view.flame);
      const height = this.view.rows * ROW_PX;
      if (this.options.heightPx === null) scroller.style.height = `${Math.min(height, HEIGHT_MAX_PX)}px`;
      spacer.style.height = `${height}px`;
      this.report();
      this.schedule();
    }
    report() {
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
    schedule() {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.paint());
    }
    paint() {
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
  };

  // src/table.ts
  var SHOWN_ROWS_MAX = 100;
  var HEADINGS = [
    ["Function", 0],
    ["Self", 2],
    ["Total", 3]
  ];
  function pickRows(rows, text, column) {
    const wanted = text.trim().toLowerCase();
    const found = rows.filter(
      ([name, file]) => !wanted || name.toLowerCase().includes(wanted) || file.toLowerCase().includes(wanted)
    );
    return found.sort((a, b) => column === 0 ? compare(a[0], b[0]) : b[column] - a[column]);
  }
  var FunctionTable = class {
    constructor(root, options) {
      this.options = options;
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
    options;
    body;
    note;
    headings = [];
    column = 2;
    text = "";
    filter(text) {
      this.text = text;
      this.fill();
    }
    sort(column) {
      this.column = column;
      this.fill();
    }
    fill() {
      HEADINGS.forEach(([, column], position) => {
        const order = column === this.column ? column === 0 ? "ascending" : "descending" : "none";
        this.headings[position].setAttribute("aria-sort", order);
      });
      const found = pickRows(this.options.rows, this.text, this.column);
      this.body.replaceChildren();
      for (const row of found.slice(0, SHOWN_ROWS_MAX)) this.addRow(row);
      this.note.textContent = this.tell(Math.min(found.length, SHOWN_ROWS_MAX));
    }
    tell(count) {
      const { rowsTotal } = this.options;
      if (count === 0) return "No function matches.";
      return count === rowsTotal ? "" : `${count} of ${rowsTotal} functions are listed.`;
    }
    addRow([name, file, self, total]) {
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
    addNumber(row, value) {
      const { unit, totalValue } = this.options;
      const share = totalValue > 0 ? value / totalValue : 0;
      const cell = child(row, "td", "number");
      child(cell, "span", "value", formatValue(value, unit));
      child(cell, "span", "share", formatShare(share));
      const bar = child(cell, "span", "bar");
      child(bar, "span", "fill").style.width = `${(share * 100).toFixed(2)}%`;
    }
  };
  function compare(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
  }

  // src/page.ts
  function readColumns(tree) {
    const { total_value: totalValue, ...columns } = tree;
    return { ...columns, totalValue, baseTotalValue: null, baseTotal: null, baseSelf: null };
  }
  function part(id) {
    const found = document.getElementById(id);
    if (!found) throw new Error(`the page lacks #${id}`);
    return found;
  }
  function start() {
    const data = JSON.parse(part("data").textContent ?? "");
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
      onPick: (name) => graph.setSearch(name)
    });
    const graph = new Flamegraph(part("flamegraph"), {
      columns,
      heightPx: null,
      search: "",
      searchBox: true,
      price: null,
      onFocus: null,
      onSearch: (text) => table.filter(text)
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
})();
