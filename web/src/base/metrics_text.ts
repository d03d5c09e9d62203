// The server's own /metrics, as far as the status page needs it: plain samples by name and labels.
import { useEffect, useState } from "preact/hooks";
import { parseValue } from "./format";

export type OwnMetrics = Map<string, number>;

// Keys are as the page writes them: name, or name{a="b"}.
export function parseMetrics(text: string): OwnMetrics {
  const out: OwnMetrics = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const cut = line.lastIndexOf(" ");
    if (cut > 0) out.set(line.slice(0, cut), parseValue(line.slice(cut + 1)));
  }
  return out;
}

export interface OwnSample {
  labels: Record<string, string>;
  value: number;
}

// The series of one name, with their labels.
export function samplesOf(metrics: OwnMetrics, name: string): OwnSample[] {
  const out: OwnSample[] = [];
  for (const [key, value] of metrics) {
    if (key !== name && !key.startsWith(name + "{")) continue;
    const labels: Record<string, string> = {};
    for (const [, label, text] of key.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[label!] = text!.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    }
    out.push({ labels, value });
  }
  return out;
}

export function sum(metrics: OwnMetrics, name: string): number | undefined {
  let total: number | undefined;
  for (const [key, value] of metrics) {
    if (key === name || key.startsWith(name + "{")) total = (total ?? 0) + value;
  }
  return total;
}

export function useOwnMetrics(everyMs: number): OwnMetrics | undefined {
  const [metrics, setMetrics] = useState<OwnMetrics | undefined>(undefined);
  useEffect(() => {
    const abort = new AbortController();
    const load = () => {
      if (document.hidden) return;
      fetch("metrics", { signal: abort.signal })
        .then((response) => (response.ok ? response.text() : ""))
        .then(
          (text) => setMetrics(parseMetrics(text)),
          () => {},
        );
    };
    load();
    const timer = setInterval(load, everyMs);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [everyMs]);
  return metrics;
}
