// Exemplars: single observations beside the lines they went into, with labels such as a trace's id.
import { api } from "../base/api";
import { parseValue } from "../base/format";
import { type LabelSet, seriesName } from "./result";

export interface Exemplar {
  t: number; // s
  value: number;
  labels: LabelSet; // of the exemplar
  series: string;
}

interface Answered {
  seriesLabels: LabelSet;
  exemplars: { labels: LabelSet; value: string; timestamp: number }[];
}

export async function loadExemplars(expr: string, startS: number, endS: number, stepS: number, signal: AbortSignal): Promise<Exemplar[]> {
  const params = { query: expr, start: startS.toFixed(3), end: endS.toFixed(3) };
  const { data } = await api<Answered[]>("query_exemplars", params, signal, true);
  return thin(exemplarsOf(data ?? []), stepS);
}

export function exemplarsOf(answer: Answered[]): Exemplar[] {
  return answer
    .flatMap(({ seriesLabels, exemplars }) => {
      const series = seriesName(seriesLabels);
      return exemplars.map(({ labels, value, timestamp }) => ({ t: timestamp, value: parseValue(value), labels, series }));
    })
    .filter((one) => Number.isFinite(one.value))
    .sort((a, b) => a.t - b.t);
}

// Of each step only the smallest and the largest: others would lie between them, and no finger could hit them.
export function thin(all: Exemplar[], stepS: number): Exemplar[] {
  const ends = new Map<number, [Exemplar, Exemplar]>();
  for (const one of all) {
    const step = Math.round(one.t / stepS);
    const known = ends.get(step);
    if (known === undefined) ends.set(step, [one, one]);
    else ends.set(step, [one.value < known[0].value ? one : known[0], one.value > known[1].value ? one : known[1]]);
  }
  return [...ends.values()].flatMap(([low, high]) => (low === high ? [low] : [low, high]));
}

// The height of a value between the edges of a heat map's rows; beyond them, the nearest row.
export function heatRow(value: number, edges: number[]): number {
  const above = edges.findIndex((edge) => value <= edge);
  const row = above < 0 ? edges.length - 2 : Math.max(above - 1, 0);
  return row + 0.5;
}
