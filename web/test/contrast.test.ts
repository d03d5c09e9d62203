import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { seriesColor } from "../src/query/colors";

const css = readFileSync(new URL("../src/style/base.css", import.meta.url), "utf8");

function tokens(selector: string): Record<string, string> {
  const block = css.slice(css.indexOf(selector + " {"));
  const found = block.slice(0, block.indexOf("}")).matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, value]));
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

// WCAG AA: 4.5 for text, 3 for lines and marks.
describe.each([
  ["light", tokens(":root")],
  ["dark", tokens(':root[data-theme="dark"]')],
])("colours, %s", (name, token) => {
  const pairs: [string, string][] = [
    ["text", "surface"], ["text", "ground"], ["text", "sunken"], ["muted", "surface"], ["muted", "ground"], ["muted", "sunken"],
    ["accent", "surface"], ["accent", "ground"], ["accent-text", "accent"],
    ["good", "good-soft"], ["warn", "warn-soft"], ["bad", "bad-soft"], ["bad", "surface"],
    ["code-keyword", "surface"], ["code-function", "surface"], ["code-label", "surface"], ["code-string", "surface"], ["code-number", "surface"],
  ];
  it.each(pairs)("%s can be read on %s", (text, ground) => {
    expect(contrast(token[text]!, token[ground]!)).toBeGreaterThanOrEqual(4.5);
  });
  it("series stand out from the ground", () => {
    for (let i = 0; i < 8; ++i) {
      expect(contrast(seriesColor(i, name === "dark"), token.surface!), `series ${i}`).toBeGreaterThanOrEqual(2.8);
    }
  });
});
