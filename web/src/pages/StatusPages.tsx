// Configuration, flags, cardinality of the storage, Alertmanagers.
import { useMemo } from "preact/hooks";
import { useApi } from "../base/api";
import { formatBytes, formatCount } from "../base/format";
import { useSearchParam } from "../base/router";
import { utc } from "../base/settings";
import { useStore } from "../base/store";
import { ago, formatTime } from "../base/time";
import { matchesWords } from "../query/Dialogs";
import { Empty, ErrorBox, Icon, SearchBox, Skeleton, State, useNow } from "../ui/bits";
import { StatusHead } from "./StatusHead";

export function Config() {
  const { data, error } = useApi<{ yaml: string }>("status/config");
  return (
    <main id="main">
      <StatusHead page="config">
        <button type="button" class="quiet-button" onClick={() => void navigator.clipboard?.writeText(data?.yaml ?? "")}>
          <Icon name="copy" /> Copy
        </button>
      </StatusHead>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton rows={12} />}
      {data !== undefined && (
        <pre class="card yaml" tabIndex={0} aria-label="Configuration in force">
          {data.yaml.split("\n").map((line, i) => {
            const match = /^(\s*(?:- )*)([\w.-]+)(:)( .*)?$/.exec(line);
            return match === null ? (
              line + "\n"
            ) : (
              <span key={i}>
                {match[1]}
                <i>{match[2]}</i>
                {match[3]}
                {match[4]}
                {"\n"}
              </span>
            );
          })}
        </pre>
      )}
    </main>
  );
}

export function Flags() {
  const { data, error } = useApi<Record<string, string>>("status/flags");
  const [search, setSearch] = useSearchParam("search");
  const rows = Object.entries(data ?? {}).filter(([name, value]) => matchesWords(`--${name} ${value}`, search));
  return (
    <main id="main">
      <StatusHead page="flags">
        <SearchBox value={search} onInput={setSearch} placeholder="Filter flags" />
      </StatusHead>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton rows={12} />}
      {data !== undefined && rows.length === 0 && <Empty>No flag has these words.</Empty>}
      {rows.length > 0 && (
        <section class="card padded">
          <dl class="pairs mono">
            {rows.map(([name, value]) => (
              <div key={name}>
                <dt>--{name}</dt>
                <dd>{value === "" ? <span class="quiet">empty</span> : value}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
    </main>
  );
}

interface Count {
  name: string;
  value: number;
}

interface Tsdb {
  headStats: { numSeries: number; numLabelPairs: number; chunkCount: number; minTime: number; maxTime: number };
  seriesCountByMetricName: Count[];
  labelValueCountByLabelName: Count[];
  memoryInBytesByLabelName: Count[];
  seriesCountByLabelValuePair: Count[];
}

function Ranking({ title, note, counts, format, total }: { title: string; note: string; counts: Count[]; format: (n: number) => string; total?: number }) {
  const most = Math.max(...counts.map((one) => one.value), 1);
  return (
    <section class="card">
      <h2>{title}</h2>
      <p class="quiet">{note}</p>
      <ol class="ranking">
        {counts.map(({ name, value }) => (
          <li key={name}>
            <span class="share" style={{ width: `${(value / most) * 100}%` }} />
            <span class="name">{name}</span>
            <span class="amount">
              {format(value)}
              {total !== undefined && total > 0 && <small> {Math.round((value / total) * 1000) / 10}%</small>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function TsdbStatus() {
  const [limit, setLimit] = useSearchParam("limit", "10");
  const { data, error } = useApi<Tsdb>("status/tsdb", { limit });
  const zone = useStore(utc);
  const now = useNow();
  const head = data?.headStats;
  const since = (ms: number) => (ms > 0 && ms < 1e15 ? ago(new Date(ms).toISOString(), now) : "–");
  const time = (ms: number) => (ms > 0 && ms < 1e15 ? formatTime(ms, zone) : "no samples yet");
  return (
    <main id="main">
      <StatusHead page="tsdb-status">
        <label class="check">
          Show
          <select value={limit} onChange={(event) => setLimit(event.currentTarget.value)}>
            {["10", "25", "100"].map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </StatusHead>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton rows={12} />}
      {data !== undefined && head !== undefined && (
        <>
          <div class="tiles">
            {(
              [
                ["Series", formatCount(head.numSeries), "in the head"],
                ["Label pairs", formatCount(head.numLabelPairs), "names with their values"],
                ["Chunks", formatCount(head.chunkCount), "in the head"],
                ["Oldest sample", since(head.minTime), time(head.minTime)],
                ["Newest sample", since(head.maxTime), time(head.maxTime)],
              ] as const
            ).map(([name, value, note]) => (
              <div class="card tile" key={name}>
                <span>{name}</span>
                <b>{value}</b>
                <small>{note}</small>
              </div>
            ))}
          </div>
          <div class="columns">
            <Ranking title="Series by metric" note="What to look at first when memory grows" counts={data.seriesCountByMetricName} format={formatCount} total={head.numSeries} />
            <Ranking title="Values by label" note="Labels with many values make many series" counts={data.labelValueCountByLabelName} format={formatCount} />
            <Ranking title="Memory by label" note="Bytes of names and values" counts={data.memoryInBytesByLabelName} format={formatBytes} />
            <Ranking title="Series by label pair" note="How many series carry the pair" counts={data.seriesCountByLabelValuePair} format={formatCount} total={head.numSeries} />
          </div>
        </>
      )}
    </main>
  );
}

interface Alertmanagers {
  activeAlertmanagers: { url: string }[];
  droppedAlertmanagers: { url: string }[];
}

export function AlertmanagersPage() {
  const { data, error } = useApi<Alertmanagers>("alertmanagers", {}, 10_000);
  const rows = useMemo(
    () => [
      ...(data?.activeAlertmanagers ?? []).map((one) => ({ ...one, active: true })),
      ...(data?.droppedAlertmanagers ?? []).map((one) => ({ ...one, active: false })),
    ],
    [data],
  );
  return (
    <main id="main">
      <StatusHead page="alertmanager-discovery" />
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton />}
      {data !== undefined && rows.length === 0 && <Empty>No Alertmanager: alerts are evaluated and shown, but go to nobody.</Empty>}
      {rows.length > 0 && (
        <section class="card padded">
          <ul class="plain-list">
            {rows.map(({ url, active }) => (
              <li key={url}>
                {active ? <State mood="good">gets alerts</State> : <State mood="quiet">dropped by relabelling</State>}
                <a href={url.replace(/\/api\/v\d\/alerts$/, "/")} target="_blank" rel="noopener noreferrer">
                  {url}
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </main>
  );
}
