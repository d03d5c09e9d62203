// The plot of a range query: uPlot, dressed for Narthex. A chunk of its own.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatWithUnit, type Unit } from "../base/format";
import { formatTick } from "../base/time";
import { heatColor, seriesColor, seriesDash } from "./colors";
import { type Exemplar, heatRow } from "./exemplars";
import { type Cell, edgesOf } from "./heat";
import type { Column } from "./result";
import { stack } from "./stack";
import type { Display } from "./state";

export interface PlotData {
  times: number[]; // s
  columns: Column[];
  cells: Cell[]; // of a heat map
  exemplars: Exemplar[];
  stepS: number;
}

export interface PlotLook {
  display: Display;
  log: boolean;
  dark: boolean;
  utc: boolean;
  unit: Unit;
  thresholds: number[];
  hidden: ReadonlySet<number>;
}

export interface Hover {
  index: number; // of the time
  left: number;
  top: number;
  width: number;
  value: number | null; // on the axis, under the pointer
  exemplar: Exemplar | null; // under the pointer
}

export interface PlotEvents {
  onHover(hover: Hover | null): void;
  onZoom(fromS: number, toS: number): void;
  onZoomOut(): void;
  onPick(exemplar: Exemplar): void;
}

const AXIS_GAP = 8;
const MARK = 4.5; // half the width of an exemplar's mark, in CSS pixels
const REACH = 14; // so near the pointer takes one

function colorsOf(host: HTMLElement) {
  const style = getComputedStyle(host);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return { grid: read("--grid"), text: read("--muted"), bad: read("--bad"), ink: read("--text"), paper: read("--surface"), font: `12px ${read("--sans")}` };
}

function seriesOptions(data: PlotData, look: PlotLook): uPlot.Series[] {
  return data.columns.map((_, i) => {
    const color = seriesColor(i, look.dark);
    const points = look.display === "points";
    return {
      show: !look.hidden.has(i),
      stroke: color,
      width: points ? 0 : 1.6,
      dash: points ? undefined : seriesDash(i),
      fill: look.display === "stacked" ? color + "4d" : undefined,
      paths: points ? () => null : undefined,
      // A lone point between gaps would not show as a line.
      points: points ? { show: true, size: 5, fill: color, stroke: color } : { size: 5, fill: color, stroke: color },
    };
  });
}

// With stacked series the fill of one ends where the one below begins.
function bandsOf(count: number, hidden: ReadonlySet<number>): uPlot.Band[] {
  const shown = Array.from({ length: count }, (_, i) => i).filter((i) => !hidden.has(i));
  return shown.slice(1).map((upper, i) => ({ series: [upper + 1, shown[i]! + 1] }));
}

// Exemplars widen the axis, unless they lie so far off that the lines would be flat.
function withExemplars(min: number, max: number, all: Exemplar[]): [number, number] {
  const reach = 3 * (max - min || Math.abs(max) || 1);
  const near = all.map((one) => one.value).filter((value) => value > min - reach && value < max + reach);
  return [Math.min(min, ...near), Math.max(max, ...near)];
}

function yRange(look: PlotLook, heat: boolean, exemplars: Exemplar[]): uPlot.Scale {
  if (heat) return { range: (_u, low, high) => [low, high] };
  if (look.log) return { distr: 3 };
  return {
    range: (_u, low, high) => {
      let [min, max] = [Math.min(low ?? 0, ...look.thresholds), Math.max(high ?? 1, ...look.thresholds)];
      if (low !== null && high !== null) [min, max] = withExemplars(min, max, exemplars);
      if (look.display === "stacked") min = Math.min(min, 0);
      if (min === max) {
        // A flat line: around it as much room as its size gives, and zero in sight.
        const room = Math.abs(max) * 0.5 || 1;
        [min, max] = [min - room, max + room];
      }
      const pad = (max - min) * 0.06;
      const base = min >= 0 && min - pad < 0 ? 0 : min - pad;
      return [base, max + pad];
    },
  };
}

function drawThresholds(u: uPlot, thresholds: number[], color: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const threshold of thresholds) {
    const y = Math.round(u.valToPos(threshold, "y", true));
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

function drawCells(u: uPlot, data: PlotData, edges: number[], dark: boolean): void {
  const rows = new Map(edges.map((edge, i) => [edge, i]));
  const most = data.cells.reduce((max, cell) => Math.max(max, cell.count), 0);
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { t, low, high, count } of data.cells) {
    const left = Math.floor(u.valToPos(t - data.stepS / 2, "x", true));
    const right = Math.ceil(u.valToPos(t + data.stepS / 2, "x", true));
    const top = Math.round(u.valToPos(rows.get(high)!, "y", true));
    const bottom = Math.round(u.valToPos(rows.get(low)!, "y", true));
    ctx.fillStyle = heatColor(Math.sqrt(count / most), dark); // the root shows rare ones beside frequent ones
    ctx.fillRect(left, top, right - left, bottom - top);
  }
  ctx.restore();
}

// Where an exemplar is drawn, in CSS pixels of the plot's inside. What lies beyond the axis stands at its edge.
function placeOf(u: uPlot, one: Exemplar, edges: number[]): [x: number, y: number] {
  const value = edges.length > 1 ? heatRow(one.value, edges) : one.value;
  const y = u.valToPos(value, "y");
  const height = u.over.clientHeight;
  return [u.valToPos(one.t, "x"), Number.isFinite(y) ? Math.min(Math.max(y, MARK), height - MARK) : height - MARK];
}

function drawExemplars(u: uPlot, all: Exemplar[], edges: number[], ink: string, paper: string): void {
  const { ctx, bbox } = u;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * scale;
  ctx.strokeStyle = paper;
  ctx.fillStyle = ink;
  for (const one of all) {
    const [left, top] = placeOf(u, one, edges);
    if (left < 0 || left > u.over.clientWidth) continue;
    const [x, y, r] = [bbox.left + left * scale, bbox.top + top * scale, MARK * scale];
    ctx.beginPath();
    ctx.moveTo(x, y - r);
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

function exemplarAt(u: uPlot, all: Exemplar[], edges: number[], left: number, top: number): Exemplar | null {
  let best: Exemplar | null = null;
  let reach = REACH;
  for (const one of all) {
    const [x, y] = placeOf(u, one, edges);
    const distance = Math.hypot(x - left, y - top);
    if (distance < reach) [best, reach] = [one, distance];
  }
  return best;
}

// Owns its element's content until destroy().
export class Plot {
  private readonly u: uPlot;
  readonly edges: number[];

  constructor(host: HTMLElement, readonly data: PlotData, look: PlotLook, height: number, events: PlotEvents) {
    const heat = look.display === "heatmap";
    const { grid, text, bad, ink, paper, font } = colorsOf(host);
    this.edges = heat ? edgesOf(data.cells) : [];
    const edges = this.edges;
    const line = { stroke: grid, width: 1 };
    const edgeText = (row: number) => (edges[row] === undefined ? "" : formatWithUnit(edges[row]!, look.unit));
    const options: uPlot.Options = {
      width: Math.max(host.clientWidth, 100),
      height,
      padding: [12, 20, 0, 0],
      legend: { show: false },
      focus: { alpha: 0.3 },
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        focus: { prox: -1 },
        points: heat ? { show: false } : { size: 7, width: 2 },
        bind: {
          dblclick: () => () => {
            events.onZoomOut();
            return null;
          },
        },
      },
      bands: look.display === "stacked" ? bandsOf(data.columns.length, look.hidden) : [],
      scales: {
        x: { time: true, range: (_u, min, max) => (min === max ? [min - 30, max + 30] : [min, max]) },
        y: yRange(look, heat, data.exemplars),
      },
      axes: [
        {
          stroke: text,
          font,
          grid: line,
          ticks: { ...line, size: 5 },
          gap: AXIS_GAP,
          space: 88,
          size: 44,
          values: (_u, splits, _axis, _space, incr) =>
            splits.map((split, i) => formatTick(split * 1000, look.utc, incr * 1000, i === 0)),
        },
        {
          stroke: text,
          font,
          grid: line,
          ticks: { show: false },
          gap: AXIS_GAP,
          size: host.clientWidth < 520 ? 58 : 72, // the same for all plots: no jump when values change
          values: (_u, splits) =>
            splits.map((v) => (v === null ? "" : heat ? (Number.isInteger(v) ? edgeText(v) : "") : formatWithUnit(v, look.unit))),
        },
      ],
      series: [{}, ...(heat ? [{ show: true, paths: () => null, points: { show: false } }] : seriesOptions(data, look))],
      hooks: {
        draw: [
          (u) => {
            if (heat) drawCells(u, data, edges, look.dark);
            else drawThresholds(u, look.thresholds, bad);
            drawExemplars(u, data.exemplars, edges, ink, paper);
          },
        ],
        setCursor: [(u) => events.onHover(hoverOf(u, data.exemplars, edges))],
        setSelect: [
          (u) => {
            if (u.select.width < 4) return;
            events.onZoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
    this.u = new uPlot(options, this.columnsFor(look), host);
    (host as HTMLElement & { plot?: Plot }).plot = this;
    this.u.over.addEventListener("click", () => {
      const picked = hoverOf(this.u, data.exemplars, edges)?.exemplar;
      if (picked) events.onPick(picked);
    });
  }

  // What the lines show, before stacking: read by tests and the legend.
  values(): PlotData {
    return this.data;
  }

  // Where the exemplars are, in CSS pixels of the plot's inside: read by tests.
  marks(): [x: number, y: number][] {
    return this.data.exemplars.map((one) => placeOf(this.u, one, this.edges));
  }

  focus(series: number | null): void {
    this.u.setSeries(series === null ? null! : series + 1, { focus: true }, true);
  }

  resize(width: number, height: number): void {
    if (width > 0 && width !== this.u.width) this.u.setSize({ width, height });
  }

  destroy(): void {
    this.u.destroy();
  }

  private columnsFor(look: PlotLook): uPlot.AlignedData {
    const { times, columns } = this.data;
    if (look.display === "heatmap") {
      const rows: Column = times.map((_, i) => (i === 0 ? 0 : Math.max(this.edges.length - 1, 1)));
      return [times, rows] as uPlot.AlignedData;
    }
    const shown = look.display === "stacked" ? stack(columns, look.hidden) : columns;
    // Logarithms of what is not positive do not exist: gaps.
    const drawn = look.log ? shown.map((column) => column.map((v) => (v !== null && v > 0 ? v : null))) : shown;
    return [times, ...drawn] as uPlot.AlignedData;
  }
}

function hoverOf(u: uPlot, exemplars: Exemplar[], edges: number[]): Hover | null {
  const { idx, left, top } = u.cursor;
  if (idx === null || idx === undefined || left === undefined || top === undefined || left < 0 || top < 0) return null;
  return {
    index: idx,
    left: left + u.over.offsetLeft,
    top: top + u.over.offsetTop,
    width: u.width,
    value: u.posToVal(top, "y"),
    exemplar: exemplarAt(u, exemplars, edges, left, top),
  };
}
