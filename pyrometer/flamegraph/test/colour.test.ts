import { expect, test } from "vitest";
import {
  ALIKE,
  differenceColour,
  differenceScale,
  LESS,
  legendGradient,
  luminance,
  moduleColour,
  MORE,
  parseColour,
  shareDifference,
  textOn,
  type Rgb,
} from "../src/colour";
import { aTree, columnsOf } from "./tree";

function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function manyModules() {
  const children = Array.from({ length: 400 }, (_, i) => ({ name: `f${i}`, file: `/srv/module${i}.py`, self: 1 }));
  return columnsOf({ name: "all", children });
}

test("a label can be read on every module's colour, in both themes", () => {
  const columns = manyModules();
  for (const dark of [false, true]) {
    for (let node = 0; node <= 400; node++) {
      const colour = moduleColour(columns, node, dark);
      expect(contrast(colour, parseColour(textOn(colour), ALIKE))).toBeGreaterThan(4);
    }
  }
});

test("module colours are warm, the same for the same module, and differ between modules", () => {
  const columns = manyModules();
  const colours = Array.from({ length: 400 }, (_, i) => moduleColour(columns, i + 1, false));
  for (const [r, , b] of colours) expect(r).toBeGreaterThan(b);
  expect(new Set(colours.map(String)).size).toBeGreaterThan(200);
  expect(moduleColour(columns, 7, false)).toEqual(moduleColour(columns, 7, false));
});

test("root and markers are grey", () => {
  const columns = columnsOf({ name: "all", children: [{ name: "[not sampled]", self: 1 }, { name: "(other)", self: 1 }] });
  for (const node of [0, 1, 2]) {
    const [r, g, b] = moduleColour(columns, node, true);
    expect(Math.max(r, g, b) - Math.min(r, g, b)).toBeLessThan(12);
  }
});

test("differences are of shares: twice as much of everything is no difference", () => {
  const columns = columnsOf(
    { name: "all", base: 20, children: [{ name: "a", self: 6, base: 12 }, { name: "b", self: 4, base: 8 }] },
    true,
  );
  expect([0, 1, 2].map((node) => shareDifference(columns, node))).toEqual([0, 0, 0]);
});

test("an empty baseline gives finite differences", () => {
  const columns = columnsOf({ name: "all", base: 0, children: [{ name: "a", self: 6 }] }, true);
  expect(shareDifference(columns, 1)).toBe(1);
  expect(shareDifference(aTree(), 1)).toBe(0);
});

test("the largest difference has the full colour, none is grey, and noise stays pale", () => {
  const scale = { largest: 0.2 };
  expect(differenceColour(0.2, scale)).toEqual(MORE);
  expect(differenceColour(-0.2, scale)).toEqual(LESS);
  expect(differenceColour(0, scale)).toEqual(ALIKE);
  expect(differenceScale(aTree()).largest).toBe(0.001);
  expect(legendGradient(scale)).toContain("rgb(148,142,142)");
});

test("computed colours are read in every form a browser gives", () => {
  expect(parseColour("rgb(1, 2, 3)", ALIKE)).toEqual([1, 2, 3]);
  expect(parseColour("color(srgb 1 0 0.5)", ALIKE)).toEqual([255, 0, 127.5]);
  expect(parseColour("rgba(0, 0, 0, 0)", ALIKE)).toEqual(ALIKE);
  expect(parseColour("", ALIKE)).toEqual(ALIKE);
});
