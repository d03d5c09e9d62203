// Colours that people with any colour vision can tell apart: Okabe and Ito's, and Tol's "muted" beside them, deepened
// for a white ground and lifted for a dark one. From the ninth series on the lines are dashed as well.

const LIGHT = ["#0b6fb8", "#d1600a", "#0a8f6a", "#b83f8e", "#7a5cc9", "#a97800", "#2aa3d9", "#9b2242"];
const DARK = ["#58a6ff", "#ff9e4a", "#3ccf9e", "#f07fc4", "#b39bff", "#f0c34a", "#7fd8ff", "#ff7b8e"];
const DASHES: (number[] | undefined)[] = [undefined, [7, 4], [2, 3], [10, 3, 2, 3]];

export function seriesColor(index: number, dark: boolean): string {
  const colors = dark ? DARK : LIGHT;
  return colors[index % colors.length]!;
}

export function seriesDash(index: number): number[] | undefined {
  return DASHES[Math.floor(index / LIGHT.length) % DASHES.length];
}

// From few to many: on a light ground a blue that deepens; on a dark one Cividis, from dark blue to yellow. Both are
// even in brightness for everybody.
type Rgb = [number, number, number];
const HEAT_LIGHT: Rgb[] = [
  [232, 240, 250], [189, 215, 240], [130, 181, 224], [70, 140, 201], [29, 98, 168], [14, 62, 125], [8, 32, 78],
];
const HEAT_DARK: Rgb[] = [
  [23, 44, 84], [44, 72, 113], [66, 85, 113], [100, 109, 114], [130, 131, 118], [163, 154, 109], [203, 178, 86],
  [254, 232, 56],
];

// share: 0..1
export function heatColor(share: number, dark: boolean): string {
  const ramp = dark ? HEAT_DARK : HEAT_LIGHT;
  const at = Math.min(Math.max(share, 0), 1) * (ramp.length - 1);
  const i = Math.min(Math.floor(at), ramp.length - 2);
  const mix = (a: number, b: number) => Math.round(a + (b - a) * (at - i));
  const [from, to] = [ramp[i]!, ramp[i + 1]!];
  return `rgb(${mix(from[0], to[0])},${mix(from[1], to[1])},${mix(from[2], to[2])})`;
}
