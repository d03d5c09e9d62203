// What queries answer, and series as people read them.
import { parseValue } from "../base/format";

export type LabelSet = Record<string, string>;
export type Bucket = [boundaries: number, left: string, right: string, count: string];

export interface Histogram {
  count: string;
  sum: string;
  buckets?: Bucket[];
}

export interface Series {
  metric: LabelSet;
  value?: [number, string];
  histogram?: [number, Histogram];
  values?: [number, string][];
  histograms?: [number, Histogram][];
}

export interface QueryData {
  resultType: "vector" | "matrix" | "scalar" | "string";
  result: Series[] | [number, string];
  stats?: {
    timings: { evalTotalTime: number };
    samples: { totalQueryableSamples: number; peakSamples: number };
  };
}

const LEGACY = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LEGACY_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

// The series as PromQL names it.
export function seriesName(labels: LabelSet): string {
  const { __name__: name, ...rest } = labels;
  const pairs = Object.entries(rest).map(
    ([key, value]) => `${LEGACY_LABEL.test(key) ? key : JSON.stringify(key)}=${JSON.stringify(value)}`,
  );
  if (name === undefined) return `{${pairs.join(", ")}}`;
  if (!LEGACY.test(name)) return `{${[JSON.stringify(name), ...pairs].join(", ")}}`;
  return pairs.length === 0 ? name : `${name}{${pairs.join(", ")}}`;
}

// Of each series, only what tells it from the others; all of it if nothing does.
export function shortNames(series: Series[]): string[] {
  const varying = new Set<string>();
  const first = series[0]?.metric ?? {};
  for (const { metric } of series) {
    for (const key of new Set([...Object.keys(first), ...Object.keys(metric)])) {
      if (first[key] !== metric[key]) varying.add(key);
    }
  }
  return series.map(({ metric }) => {
    if (varying.size === 0) return seriesName(metric);
    const rest = Object.entries(metric).filter(([key]) => varying.has(key) && key !== "__name__");
    const name = varying.has("__name__") ? (metric.__name__ ?? "") : "";
    if (rest.length === 1 && name === "") return rest[0]![1];
    const pairs = rest.map(([key, value]) => `${key}=${value}`).join(" ");
    return [name, pairs].filter((part) => part !== "").join(" ") || "{}";
  });
}

export type Column = (number | null)[];

// Puts the points of a series on the grid of a range query. What is missing, or no number, is a gap.
export function onGrid(values: [number, string][], startS: number, stepS: number, length: number): Column {
  const column: Column = new Array<number | null>(length).fill(null);
  for (const [t, text] of values) {
    const value = parseValue(text);
    const i = Math.round((t - startS) / stepS);
    if (i >= 0 && i < length && Number.isFinite(value)) column[i] = value;
  }
  return column;
}

export function grid(startS: number, endS: number, stepS: number): number[] {
  const length = Math.floor((endS - startS) / stepS + 1e-9) + 1;
  return Array.from({ length }, (_, i) => startS + i * stepS);
}
