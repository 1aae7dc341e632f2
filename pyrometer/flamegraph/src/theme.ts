// The colours and the font that hold around the flame graph, read from the page.

import { luminance, parseColour, type Rgb } from "./colour";

export interface Theme {
  dark: boolean;
  background: Rgb;
  text: Rgb;
  font: string;
}

export function readTheme(root: Element): Theme {
  const style = getComputedStyle(root);
  const background = parseColour(style.backgroundColor, [255, 255, 255]);
  const text = parseColour(style.color, [30, 30, 30]);
  return { dark: luminance(background) < 0.2, background, text, font: `12px ${style.fontFamily}` };
}
