// Heat maps: native histograms, or classic ones (series with le), as cells over time and value.
import { parseValue } from "../base/format";
import type { Histogram, Series } from "./result";

export interface Cell {
  t: number; // s
  low: number;
  high: number;
  count: number;
}

export function hasHeat(series: Series[]): boolean {
  return (
    series.some((one) => (one.histograms?.length ?? 0) > 0) ||
    (series.length > 1 && series.every((one) => one.metric.le !== undefined))
  );
}

// Equal buckets of several series add up.
export function cellsOf(series: Series[]): Cell[] {
  const native = series.some((one) => (one.histograms?.length ?? 0) > 0);
  const cells = new Map<string, Cell>();
  const add = (t: number, low: number, high: number, count: number) => {
    if (!(count > 0)) return;
    const key = `${t}/${low}/${high}`;
    const cell = cells.get(key);
    if (cell === undefined) cells.set(key, { t, low, high, count });
    else cell.count += count;
  };
  if (native) {
    for (const one of series) for (const [t, h] of one.histograms ?? []) addNative(t, h, add);
  } else {
    addClassic(series, add);
  }
  return [...cells.values()];
}

type Add = (t: number, low: number, high: number, count: number) => void;

function addNative(t: number, h: Histogram, add: Add): void {
  for (const [, low, high, count] of h.buckets ?? []) add(t, parseValue(low), parseValue(high), parseValue(count));
}

// Classic buckets are cumulative: each one less the one below, at equal other labels.
function addClassic(series: Series[], add: Add): void {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const { le: _le, ...rest } = one.metric;
    const key = JSON.stringify(Object.entries(rest).sort());
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const group of groups.values()) {
    group.sort((a, b) => parseValue(a.metric.le!) - parseValue(b.metric.le!));
    let below = new Map<number, number>();
    let low = 0;
    for (const one of group) {
      const high = parseValue(one.metric.le!);
      const now = new Map((one.values ?? []).map(([t, text]) => [t, parseValue(text)]));
      for (const [t, value] of now) add(t, low, high, value - (below.get(t) ?? 0));
      below = now;
      low = high;
    }
  }
}

// Rows of the map: bucket bounds in order. Row i lies between edges i and i + 1; all rows are equally high, so that
// exponential buckets show as they were meant.
export function edgesOf(cells: Cell[]): number[] {
  const edges = new Set<number>();
  for (const { low, high } of cells) {
    edges.add(low);
    edges.add(high);
  }
  return [...edges].sort((a, b) => a - b);
}
