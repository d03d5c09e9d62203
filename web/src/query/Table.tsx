// The answer of an instant query.
import { useMemo, useState } from "preact/hooks";
import { utc } from "../base/settings";
import { useStore } from "../base/store";
import { formatTime } from "../base/time";
import { Empty, Icon, SeriesText } from "../ui/bits";
import { Virtual } from "../ui/Virtual";
import { type Histogram, type QueryData, type Series, seriesName } from "./result";

function HistogramView({ histogram }: { histogram: Histogram }) {
  const buckets = histogram.buckets ?? [];
  const most = Math.max(...buckets.map((bucket) => Number(bucket[3])), 0);
  const brackets = (kind: number) => [kind === 1 || kind === 3 ? "[" : "(", kind === 0 || kind === 3 ? "]" : ")"];
  return (
    <details class="histogram">
      <summary>
        count {histogram.count}, sum {histogram.sum}
      </summary>
      <ol>
        {buckets.map(([kind, low, high, count]) => (
          <li key={low}>
            <span>
              {brackets(kind)[0]}
              {low}, {high}
              {brackets(kind)[1]}
            </span>
            <meter min={0} max={most} value={Number(count)} />
            <span>{count}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Value({ series }: { series: Series }) {
  const zone = useStore(utc);
  if (series.histogram !== undefined) return <HistogramView histogram={series.histogram[1]} />;
  if (series.value !== undefined) return <>{series.value[1]}</>;
  // A range selector: its raw samples.
  return (
    <span class="samples">
      {(series.values ?? []).map(([t, text]) => (
        <span key={t}>
          {text} <small>@{formatTime(t * 1000, zone, true)}</small>
        </span>
      ))}
      {(series.histograms ?? []).map(([t, h]) => (
        <HistogramView key={t} histogram={h} />
      ))}
    </span>
  );
}

type Order = "none" | "up" | "down";

function sorted(rows: Series[], order: Order): Series[] {
  if (order === "none") return rows;
  const sign = order === "up" ? 1 : -1;
  return [...rows].sort((a, b) => sign * (Number(a.value?.[1] ?? NaN) - Number(b.value?.[1] ?? NaN)));
}

export function Table({ data }: { data: QueryData }) {
  const [order, setOrder] = useState<Order>("none");
  const list = Array.isArray(data.result) && (data.resultType === "vector" || data.resultType === "matrix");
  const rows = useMemo(() => (list ? sorted(data.result as Series[], order) : []), [data, order]);
  if (!list) {
    const [, text] = data.result as [number, string];
    return (
      <div class="table">
        <div class="row">
          <span class="series">{data.resultType}</span>
          <span class="value">{text}</span>
        </div>
      </div>
    );
  }
  if (rows.length === 0) return <Empty>The result is empty: no series matches.</Empty>;
  const next: Record<Order, Order> = { none: "down", down: "up", up: "none" };
  return (
    <div class="table">
      <div class="row head">
        <span>{rows.length === 1 ? "1 series" : `${rows.length} series`}</span>
        <button
          type="button"
          class="plain"
          onClick={() => setOrder(next[order])}
          aria-label={`Sort by value, now ${{ none: "as answered", down: "falling", up: "rising" }[order]}`}
        >
          Value <span aria-hidden="true">{{ none: "↕", down: "↓", up: "↑" }[order]}</span>
        </button>
      </div>
      <Virtual
        items={rows}
        keyOf={(row) => seriesName(row.metric)}
        estimate={37}
        label="Series of the result"
        render={(row) => (
          <div class="row">
            <SeriesText metric={row.metric} />
            <span class="value">
              <Value series={row} />
              <button
                type="button"
                class="plain copy"
                title="Copy this series"
                aria-label="Copy this series"
                onClick={() => void navigator.clipboard?.writeText(seriesName(row.metric))}
              >
                <Icon name="copy" />
              </button>
            </span>
          </div>
        )}
      />
    </div>
  );
}
