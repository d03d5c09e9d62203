// The answer of a range query: the plot, what the pointer is on, and the legend.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { bucketUnitOf, formatNumber, formatWithUnit, unitOf } from "../base/format";
import { dark, utc } from "../base/settings";
import { useStore } from "../base/store";
import { formatTime } from "../base/time";
import { Empty, Icon, SeriesText } from "../ui/bits";
import { Virtual } from "../ui/Virtual";
import { seriesColor } from "./colors";
import type { Exemplar } from "./exemplars";
import { cellsOf, hasHeat } from "./heat";
import type { Hover, Plot, PlotData } from "./plot";
import { grid, onGrid, type QueryData, type Series, seriesName, shortNames } from "./result";
import type { Panel } from "./state";

export interface Shot {
  data: QueryData;
  exemplars: Exemplar[];
  expr: string;
  startS: number;
  endS: number;
  stepS: number;
}

const HEIGHT = 340;
const MAX_LINES = 500; // more than this no eye can tell apart, and no phone can draw
const TIP_ROWS = 9;

function plotData(shot: Shot, series: Series[], heat: boolean): PlotData {
  const times = grid(shot.startS, shot.endS, shot.stepS);
  const columns = heat ? [] : series.map((one) => onGrid(one.values ?? [], times[0]!, shot.stepS, times.length));
  return { times, columns, cells: heat ? cellsOf(series) : [], exemplars: shot.exemplars, stepS: shot.stepS };
}

// The series nearest to the pointer, and their neighbours in value.
function near(data: PlotData, hover: Hover, hidden: ReadonlySet<number>, stacked: boolean): { rows: number[]; focus: number } {
  const present = data.columns
    .map((column, i) => ({ i, value: column[hover.index] ?? null }))
    .filter((one): one is { i: number; value: number } => one.value !== null && !hidden.has(one.i));
  let focus = -1;
  let best = Infinity;
  let sum = 0;
  for (const { i, value } of present) {
    sum += value;
    const at = stacked ? sum - value / 2 : value;
    const distance = Math.abs(at - (hover.value ?? 0));
    if (distance < best) [best, focus] = [distance, i];
  }
  present.sort((a, b) => b.value - a.value);
  const place = present.findIndex((one) => one.i === focus);
  const from = Math.max(0, Math.min(place - Math.floor(TIP_ROWS / 2), present.length - TIP_ROWS));
  return { rows: present.slice(from, from + TIP_ROWS).map((one) => one.i), focus };
}

function LineTip({ data, hover, names, hidden, panel, expr }: {
  data: PlotData; hover: Hover; names: string[]; hidden: ReadonlySet<number>; panel: Panel; expr: string;
}) {
  const isDark = useStore(dark);
  const unit = unitOf(expr);
  const { rows, focus } = near(data, hover, hidden, panel.display === "stacked");
  if (rows.length === 0) return <p class="quiet">no value</p>;
  const text = (value: number) => (unit === "none" ? String(value) : `${formatWithUnit(value, unit)} (${value})`);
  return (
    <ul>
      {rows.map((i) => (
        <li key={i} class={i === focus ? "focus" : ""}>
          <span class="swatch" style={{ background: seriesColor(i, isDark) }} />
          <span class="name">{names[i]}</span>
          <b>{i === focus ? text(data.columns[i]![hover.index]!) : formatWithUnit(data.columns[i]![hover.index]!, unit)}</b>
        </li>
      ))}
    </ul>
  );
}

function HeatTip({ plot, hover, expr }: { plot: Plot; hover: Hover; expr: string }) {
  const unit = bucketUnitOf(expr);
  const row = Math.floor(hover.value ?? -1);
  const t = plot.data.times[hover.index];
  const cell = plot.data.cells.find((one) => Math.abs(one.t - t!) < plot.data.stepS / 2 && one.low === plot.edges[row]);
  if (row < 0 || row + 1 >= plot.edges.length) return null;
  return (
    <p>
      {formatWithUnit(plot.edges[row]!, unit)} to {formatWithUnit(plot.edges[row + 1]!, unit)}: <b>{formatNumber(cell?.count ?? 0, 6)}</b>
    </p>
  );
}

function ExemplarFacts({ exemplar, expr }: { exemplar: Exemplar; expr: string }) {
  const unit = unitOf(expr) === "none" ? bucketUnitOf(expr) : unitOf(expr);
  return (
    <dl class="exemplar-facts">
      <div>
        <dt>value</dt>
        <dd>
          {formatWithUnit(exemplar.value, unit)}
          {unit !== "none" && ` (${exemplar.value})`}
        </dd>
      </div>
      {Object.entries(exemplar.labels).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      <div>
        <dt>series</dt>
        <dd>{exemplar.series}</dd>
      </div>
    </dl>
  );
}

export function Graph({ shot, panel, onZoom, onZoomOut }: {
  shot: Shot; panel: Panel; onZoom: (fromS: number, toS: number) => void; onZoomOut: () => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const [pointer, setHover] = useState<Hover | null>(null);
  const [missing, setMissing] = useState(false); // the chunk that draws
  const [picked, setPicked] = useState<Exemplar | null>(null); // stays below the graph, to be copied from
  const [hidden, setHidden] = useState<ReadonlySet<number>>(new Set());
  const isDark = useStore(dark);
  const zone = useStore(utc);

  const all = shot.data.resultType === "matrix" ? (shot.data.result as Series[]) : [];
  const heat = hasHeat(all) && (panel.display === "heatmap" || all.every((one) => one.values === undefined));
  const series = useMemo(() => (heat ? all : all.filter((one) => one.values !== undefined).slice(0, MAX_LINES)), [shot, heat]);
  const names = useMemo(() => shortNames(series), [series]);
  const data = useMemo(() => plotData(shot, series, heat), [shot, series]);
  const identity = useMemo(() => series.map((one) => seriesName(one.metric)).join("\n"), [series]);
  useLayoutEffect(() => setHidden((old) => (old.size === 0 ? old : new Set())), [identity]);

  const hover = pointer !== null && pointer.index < data.times.length ? pointer : null;
  const display = heat ? "heatmap" : panel.display === "heatmap" ? "lines" : panel.display;
  useEffect(() => {
    let gone = false;
    if (series.length === 0) return;
    import("./plot").then(({ Plot }) => {
      if (gone || host.current === null) return;
      plot.current?.destroy();
      plot.current = new Plot(
        host.current,
        data,
        { display, log: panel.log, dark: isDark, utc: zone, unit: heat ? bucketUnitOf(shot.expr) : unitOf(shot.expr), thresholds: panel.thresholds, hidden },
        HEIGHT,
        { onHover: setHover, onZoom, onZoomOut, onPick: setPicked },
      );
      if (performance.getEntriesByName("first-plot").length === 0) performance.mark("first-plot");
    }, () => setMissing(true));
    return () => {
      gone = true;
    };
  }, [data, display, panel.log, isDark, zone, panel.thresholds, hidden]);
  useEffect(() => {
    const resize = new ResizeObserver(() => plot.current?.resize(host.current?.clientWidth ?? 0, HEIGHT));
    resize.observe(host.current!);
    return () => {
      resize.disconnect();
      plot.current?.destroy();
    };
  }, []);

  const focus = hover !== null && !heat ? near(data, hover, hidden, display === "stacked").focus : -1;
  useEffect(() => {
    if (series.length > 1 && !heat) plot.current?.focus(focus < 0 ? null : focus);
  }, [focus]);

  // One click shows a series alone, or all again; with Ctrl it is hidden or shown beside the others.
  const toggle = (i: number, event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      const next = new Set(hidden);
      if (!next.delete(i)) next.add(i);
      setHidden(next);
      return;
    }
    const alone = hidden.size === series.length - 1 && !hidden.has(i);
    setHidden(new Set(alone ? [] : series.map((_, k) => k).filter((k) => k !== i)));
  };

  const empty = series.length === 0;
  return (
    <div class="graph">
      <div class="canvas" ref={host} style={{ height: `${HEIGHT}px` }} onMouseLeave={() => setHover(null)}>
        {missing && <Empty>The part of the page that draws did not load. Is the server there? Reload the page.</Empty>}
        {empty && <Empty>{all.length > 0 ? "Nothing here can be drawn as lines: look at the table." : "The result is empty: no series in this range."}</Empty>}
      </div>
      {hover !== null && !empty && plot.current !== null && (
        <div
          class={`tip ${hover.left > hover.width / 2 ? "left" : "right"}`}
          style={{ left: `${hover.left}px`, top: `${Math.min(hover.top, HEIGHT - 120)}px` }}
        >
          <time>{formatTime((hover.exemplar?.t ?? data.times[hover.index]!) * 1000, zone)}</time>
          {hover.exemplar !== null ? (
            <ExemplarFacts exemplar={hover.exemplar} expr={shot.expr} />
          ) : heat ? (
            <HeatTip plot={plot.current} hover={hover} expr={shot.expr} />
          ) : (
            <LineTip {...{ data, hover, names, hidden, expr: shot.expr }} panel={panel} />
          )}
        </div>
      )}
      {picked !== null && (
        <div class="picked" role="status" aria-label="Exemplar">
          <h3>Exemplar of {formatTime(picked.t * 1000, zone)}</h3>
          <button type="button" class="plain" aria-label="Close the exemplar" onClick={() => setPicked(null)}>
            <Icon name="close" />
          </button>
          <ExemplarFacts exemplar={picked} expr={shot.expr} />
        </div>
      )}
      {all.length > MAX_LINES && !heat && (
        <p class="quiet">The first {MAX_LINES} of {all.length} series are drawn. Aggregate, or use topk(), to see the others.</p>
      )}
      {heat || empty ? (
        <p class="quiet heat-legend">{heat && `${isDark ? "Brighter" : "Darker"} cells hold more observations, by the square root of their count.`}</p>
      ) : (
        <Virtual
          items={series}
          keyOf={(one) => seriesName(one.metric)}
          estimate={26}
          box
          class="legend"
          label="Series of the graph"
          render={(one, i) => (
            <button
              type="button"
              aria-pressed={!hidden.has(i)}
              title="Click: only this series. Ctrl+click: hide or show it."
              onClick={(event) => toggle(i, event)}
              onMouseEnter={() => series.length > 1 && plot.current?.focus(i)}
              onMouseLeave={() => series.length > 1 && plot.current?.focus(null)}
            >
              <span class="swatch" style={{ background: seriesColor(i, isDark) }} />
              <SeriesText metric={one.metric} />
            </button>
          )}
        />
      )}
    </div>
  );
}
