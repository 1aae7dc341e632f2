// Colours: by module where one profile is shown, by the difference of shares where two are.

import { fileOf, nameOf, type Columns } from "./columns";

export type Rgb = readonly [number, number, number];

// Less, alike, more: told apart with any colour vision.
export const LESS: Rgb = [26, 133, 255];
export const ALIKE: Rgb = [148, 142, 142];
export const MORE: Rgb = [220, 50, 32];

// Below this largest difference of shares nothing is drawn in full colour: it would be noise.
const DIFFERENCE_FLOOR = 0.001;

// Returns 32 bits that differ for different texts (FNV-1a with a final mix).
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

// Returns a warm colour: the hue says which module, a small step of lightness tells functions in it apart.
export function moduleColour(columns: Columns, node: number, dark: boolean): Rgb {
  const name = nameOf(columns, node);
  const file = fileOf(columns, node);
  if (node === 0 || (!file && /^[([].*[)\]]$/.test(name))) return dark ? [72, 72, 78] : [214, 211, 206];
  const module = hashText(file || name);
  const hue = (348 + (module % 70)) % 360;
  const saturation = 0.62 + ((module >>> 8) % 20) / 100;
  const step = (hashText(name) % 7) - 3;
  return hslToRgb(hue, dark ? saturation * 0.72 : saturation, (dark ? 0.37 : 0.73) + step * 0.012);
}

export interface Scale {
  largest: number; // the largest difference of shares, which gets the full colour
}

// Returns candidate share minus baseline share; 0 where a side is empty.
export function shareDifference(columns: Columns, node: number): number {
  if (!columns.baseTotal) return 0;
  const share = columns.totalValue > 0 ? columns.total[node] / columns.totalValue : 0;
  const base = columns.baseTotalValue ? columns.baseTotal[node] / columns.baseTotalValue : 0;
  return share - base;
}

export function differenceScale(columns: Columns): Scale {
  let largest = DIFFERENCE_FLOOR;
  for (let node = 1; node < columns.depth.length; node++) {
    largest = Math.max(largest, Math.abs(shareDifference(columns, node)));
  }
  return { largest };
}

// Returns the colour of a difference; the root of its size, so that small ones can be seen beside large ones.
export function differenceColour(difference: number, scale: Scale): Rgb {
  const strength = Math.sqrt(Math.min(Math.abs(difference) / scale.largest, 1));
  return mix(ALIKE, difference < 0 ? LESS : MORE, strength);
}

// Returns the legend's background: the colours themselves, evenly over the differences from least to most.
export function legendGradient(scale: Scale): string {
  const steps = Array.from({ length: 21 }, (_, step) => (step / 10 - 1) * scale.largest);
  return `linear-gradient(to right, ${steps.map((difference) => css(differenceColour(difference, scale))).join(", ")})`;
}

export function mix(from: Rgb, to: Rgb, part: number): Rgb {
  const between = (a: number, b: number) => Math.round(a + (b - a) * part);
  return [between(from[0], to[0]), between(from[1], to[1]), between(from[2], to[2])];
}

export function css(colour: Rgb): string {
  return `rgb(${colour[0]},${colour[1]},${colour[2]})`;
}

// Returns the relative luminance, 0 to 1. Source: WCAG 2.2.
export function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Returns black or white, whichever is read better on the colour.
export function textOn(colour: Rgb): string {
  return luminance(colour) > 0.2 ? "rgb(28,25,23)" : "rgb(255,252,248)";
}

// Reads what getComputedStyle says, such as `rgb(1, 2, 3)` or `color(srgb 0.1 0.2 0.3)`.
export function parseColour(text: string, otherwise: Rgb): Rgb {
  const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [];
  if (numbers.length < 3 || (numbers.length > 3 && numbers[3] === 0)) return otherwise;
  const scale = text.startsWith("color(") ? 255 : 1;
  return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale];
}

function hslToRgb(hue: number, saturation: number, lightness: number): Rgb {
  const a = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
