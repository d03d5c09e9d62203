// The panels of the query page as they stand in the address: the words of Prometheus's own page, old and new, so that
// links of either open here and ours open there.
import { formatDuration, parseDuration } from "../base/duration";
import { formatTime, parseTime } from "../base/time";

export type Tab = "table" | "graph" | "explain";
export type Display = "lines" | "stacked" | "points" | "heatmap";
export type Density = "low" | "medium" | "high";
export type Step = { kind: "auto"; density: Density } | { kind: "fixed"; ms: number };

export interface Panel {
  id: number; // of this visit only: not in the address
  expr: string;
  tab: Tab;
  rangeMs: number;
  endMs: number | null; // of graph and table; null: now
  step: Step;
  display: Display;
  log: boolean;
  thresholds: number[];
  exemplars: boolean; // drawn beside the lines
}

let lastId = 0;

export function newPanel(from: Partial<Panel> = {}): Panel {
  return {
    expr: "",
    tab: "table",
    rangeMs: 3_600_000,
    endMs: null,
    step: { kind: "auto", density: "medium" },
    display: "lines",
    log: false,
    thresholds: [],
    exemplars: false,
    ...from,
    id: ++lastId,
  };
}

// The step of a graph: at most 250 points (100, 1000) over the range, and never under a second, as in Prometheus.
export function stepMs(panel: Panel): number {
  if (panel.step.kind === "fixed") return panel.step.ms;
  const points = { low: 100, medium: 250, high: 1000 }[panel.step.density];
  return Math.max(1000, Math.floor(panel.rangeMs / points / 1000) * 1000);
}

const TABS: Record<string, Tab> = { "0": "graph", graph: "graph", "1": "table", table: "table", explain: "explain" };
const DISPLAYS: Record<string, Display> = { lines: "lines", stacked: "stacked", points: "points", heatmap: "heatmap" };

type Setting = (value: string, panel: Panel) => void;

const setTime: Setting = (value, panel) => {
  const ms = parseTime(value, true);
  if (ms !== null) panel.endMs = ms;
};

const setFixedStep: Setting = (value, panel) => {
  const ms = parseDuration(value);
  if (ms !== null && ms > 0) panel.step = { kind: "fixed", ms };
};

// What is malformed leaves the default.
const SETTINGS: Record<string, Setting> = {
  expr: (value, panel) => void (panel.expr = value),
  tab: (value, panel) => void (panel.tab = TABS[value] ?? panel.tab),
  range_input: (value, panel) => {
    const ms = parseDuration(value);
    if (ms !== null && ms > 0) panel.rangeMs = ms;
  },
  end_input: setTime,
  moment_input: setTime,
  res_type: () => {}, // res_density and res_step say it all
  res_density: (value, panel) => {
    if (value === "low" || value === "medium" || value === "high") panel.step = { kind: "auto", density: value };
  },
  res_step: setFixedStep,
  step_input: setFixedStep,
  stacked: (value, panel) => {
    if (value === "1") panel.display = "stacked";
  },
  display_mode: (value, panel) => void (panel.display = DISPLAYS[value] ?? panel.display),
  log: (value, panel) => void (panel.log = value === "1"),
  show_exemplars: (value, panel) => void (panel.exemplars = value === "1"),
  thresholds: (value, panel) => void (panel.thresholds = parseThresholds(value)),
};

export function parseThresholds(text: string): number[] {
  return text
    .split(/[,;\s]+/)
    .filter((part) => part !== "")
    .map(Number)
    .filter((n) => Number.isFinite(n));
}

export function decodePanels(search: string): Panel[] {
  const panels = new Map<number, Panel>();
  for (const [key, value] of new URLSearchParams(search)) {
    const match = /^g(\d{1,3})\.(\w+)$/.exec(key);
    const apply = match === null ? undefined : SETTINGS[match[2]!];
    if (match === null || apply === undefined) continue;
    const index = Number(match[1]);
    const panel = panels.get(index) ?? newPanel();
    panels.set(index, panel);
    apply(value, panel);
  }
  return [...panels.entries()].sort(([a], [b]) => a - b).map(([, panel]) => panel);
}

export function encodePanels(panels: Panel[]): string {
  const out = new URLSearchParams();
  panels.forEach((panel, i) => {
    const put = (key: string, value: string) => out.append(`g${i}.${key}`, value);
    put("expr", panel.expr);
    put("tab", panel.tab);
    if (panel.endMs !== null) put(panel.tab === "graph" ? "end_input" : "moment_input", formatTime(panel.endMs, true));
    put("range_input", formatDuration(panel.rangeMs));
    if (panel.step.kind === "auto") {
      put("res_type", "auto");
      put("res_density", panel.step.density);
    } else {
      put("res_type", "fixed");
      put("res_step", formatDuration(panel.step.ms));
    }
    put("display_mode", panel.display);
    if (panel.log) put("log", "1");
    if (panel.exemplars) put("show_exemplars", "1");
    if (panel.thresholds.length > 0) put("thresholds", panel.thresholds.join(","));
  });
  return "?" + out.toString();
}

// The address that shows an expression: other pages link with it.
export function querySearch(expr: string, tab: Tab = "graph"): string {
  return "?" + new URLSearchParams({ "g0.expr": expr, "g0.tab": tab }).toString();
}
