// The parts of the flame graph in the page. Text is only ever set as text.

export interface Parts {
  root: HTMLElement;
  search: HTMLInputElement;
  flip: HTMLButtonElement;
  reset: HTMLButtonElement;
  legend: HTMLElement;
  legendLess: HTMLElement;
  legendScale: HTMLElement;
  legendMore: HTMLElement;
  scroller: HTMLElement;
  canvas: HTMLCanvasElement;
  spacer: HTMLElement;
  status: HTMLElement;
  tooltip: HTMLElement;
}

export function buildParts(root: HTMLElement): Parts {
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
    ...{ scroller, canvas, spacer, status, tooltip },
  };
}

export function child<Tag extends keyof HTMLElementTagNameMap>(
  parent: Element,
  tag: Tag,
  className: string,
  text = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

function button(parent: Element, text: string): HTMLButtonElement {
  const element = child(parent, "button", "fg-button", text);
  element.type = "button";
  return element;
}
