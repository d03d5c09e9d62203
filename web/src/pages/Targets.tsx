// All targets by scrape pool, each on a line that opens.
import { useMemo, useState } from "preact/hooks";
import { useApi } from "../base/api";
import { humanDuration } from "../base/duration";
import { formatCount } from "../base/format";
import { useSearchParam } from "../base/router";
import { ago } from "../base/time";
import { matchesWords } from "../query/Dialogs";
import { type LabelSet, type QueryData, type Series, seriesName } from "../query/result";
import { Empty, ErrorBox, Icon, Labels, type Mood, SearchBox, Segmented, Skeleton, State, useNow } from "../ui/bits";
import { Virtual } from "../ui/Virtual";
import { Relabelling } from "./Relabelling";

type Health = "up" | "down" | "unknown";

interface Target {
  discoveredLabels: LabelSet;
  labels: LabelSet;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: Health;
  scrapeInterval: string;
  scrapeTimeout: string;
}

interface TargetsData {
  activeTargets: Target[];
  droppedTargetCounts: Record<string, number> | null;
}

type Item = { key: string; pool: string; up: number; all: number } | { key: string; target: Target };

const MOODS: Record<Health, Mood> = { up: "good", down: "bad", unknown: "quiet" };
const SHOWN = { all: "All", up: "Up", down: "Down", unknown: "Unknown" };

// Pools with their targets below them; what is down first.
function itemsOf(targets: Target[], closed: ReadonlySet<string>): Item[] {
  const pools = new Map<string, Target[]>();
  for (const target of targets) {
    const pool = pools.get(target.scrapePool);
    if (pool === undefined) pools.set(target.scrapePool, [target]);
    else pool.push(target);
  }
  const order: Health[] = ["down", "unknown", "up"];
  const items: Item[] = [];
  for (const [pool, members] of pools) {
    items.push({ key: `pool ${pool}`, pool, up: members.filter((one) => one.health === "up").length, all: members.length });
    if (closed.has(pool)) continue;
    members.sort((a, b) => order.indexOf(a.health) - order.indexOf(b.health));
    for (const target of members) items.push({ key: `${pool} ${target.scrapeUrl} ${seriesName(target.labels)}`, target });
  }
  return items;
}

function LabelTable({ target }: { target: Target }) {
  const names = [...new Set([...Object.keys(target.labels), ...Object.keys(target.discoveredLabels)])].sort();
  return (
    <table class="label-table">
      <thead>
        <tr>
          <th scope="col">Label</th>
          <th scope="col">Discovered</th>
          <th scope="col">After relabelling</th>
        </tr>
      </thead>
      <tbody>
        {names.map((name) => (
          <tr key={name} class={target.labels[name] !== target.discoveredLabels[name] && !name.startsWith("__") ? "changed" : ""}>
            <th scope="row">{name}</th>
            <td>{target.discoveredLabels[name] ?? "–"}</td>
            <td>{target.labels[name] ?? "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TargetRow({ target, open, toggle, now, samples }: {
  target: Target; open: boolean; toggle: () => void; now: number; samples: number | undefined;
}) {
  const slow = target.lastScrapeDuration > 0.5 * secondsOf(target.scrapeTimeout);
  return (
    <div class={`target ${open ? "open" : ""}`}>
      <div class="target-line">
        <button type="button" class="plain" aria-expanded={open} aria-label={`Labels of ${target.scrapeUrl}`} onClick={toggle}>
          <Icon name={open ? "down" : "right"} />
        </button>
        <State mood={MOODS[target.health]}>{target.health}</State>
        <span class="target-what">
          <a href={target.globalUrl} target="_blank" rel="noopener noreferrer">
            {target.scrapeUrl}
          </a>
          <Labels labels={target.labels} />
        </span>
        <span class="cells">
          <span class="cell" title="Last scrape">
            <small>scraped</small> {ago(target.lastScrape, now)}
          </span>
          <span class={`cell ${slow ? "warn-text" : ""}`} title="Duration of the last scrape">
            <small>took</small> {humanDuration(target.lastScrapeDuration)}
          </span>
          <span class="cell" title="Samples of the last scrape">
            <small>samples</small> {samples === undefined ? "–" : formatCount(samples)}
          </span>
        </span>
      </div>
      {target.lastError !== "" && <p class="row-error">{target.lastError}</p>}
      {open && (
        <div class="target-more">
          <p class="quiet">
            Every {target.scrapeInterval}, at most {target.scrapeTimeout}
          </p>
          <LabelTable target={target} />
          <h3 class="steps-title">Relabelling, step by step</h3>
          <Relabelling pool={target.scrapePool} labels={target.discoveredLabels} />
        </div>
      )}
    </div>
  );
}

function secondsOf(duration: string): number {
  const match = /^(\d+)(ms|s|m)/.exec(duration);
  return match === null ? 10 : Number(match[1]) * { ms: 0.001, s: 1, m: 60 }[match[2] as "ms" | "s" | "m"];
}

// Samples of the last scrape, by series labels of the target.
function useSamples(): Map<string, number> {
  const { data } = useApi<QueryData>("query", { query: "scrape_samples_scraped" }, 15_000);
  return useMemo(() => {
    const out = new Map<string, number>();
    for (const one of (data?.result ?? []) as Series[]) {
      const { __name__: _name, ...labels } = one.metric;
      out.set(sortedName(labels), Number(one.value?.[1] ?? NaN));
    }
    return out;
  }, [data]);
}

const sortedName = (labels: LabelSet) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

export function Targets() {
  const { data, error } = useApi<TargetsData>("targets", { state: "active" }, 5000);
  const samples = useSamples();
  const [health, setHealth] = useSearchParam("health", "all");
  const [pool, setPool] = useSearchParam("pool");
  const [search, setSearch] = useSearchParam("search");
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const now = useNow();
  const all = data?.activeTargets ?? [];
  const items = useMemo(() => {
    const shown = all.filter(
      (target) =>
        (health === "all" || target.health === health) &&
        (pool === "" || target.scrapePool === pool) &&
        matchesWords(`${target.scrapeUrl} ${target.scrapePool} ${seriesName(target.labels)} ${target.lastError}`, search),
    );
    return itemsOf(shown, closed);
  }, [data, health, pool, search, closed]);
  const pools = useMemo(() => [...new Set(all.map((target) => target.scrapePool))], [data]);
  const flip = (set: ReadonlySet<string>, key: string) => {
    const next = new Set(set);
    if (!next.delete(key)) next.add(key);
    return next;
  };
  return (
    <main id="main">
      <div class="page-head">
        <h1>Targets</h1>
        <Segmented
          label="Health"
          value={health}
          choices={Object.entries(SHOWN).map(([value, title]) => ({
            value,
            label: (
              <>
                {title} <span class="count">{all.filter((target) => value === "all" || target.health === value).length}</span>
              </>
            ),
          }))}
          onChange={setHealth}
        />
        <select aria-label="Scrape pool" value={pool} onChange={(event) => setPool(event.currentTarget.value)}>
          <option value="">All pools</option>
          {pools.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <SearchBox value={search} onInput={setSearch} placeholder="Filter by address, label or error" />
      </div>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton rows={8} />}
      {data !== undefined && items.length === 0 && (
        <Empty>{all.length === 0 ? "No target. Name some in scrape_configs of the configuration." : "No target is like that."}</Empty>
      )}
      <Virtual
        items={items}
        keyOf={(item) => item.key}
        estimate={58}
        label="Targets"
        class="targets"
        render={(item) =>
          "pool" in item ? (
            <h2 class="pool">
              <button type="button" class="rule-head" aria-expanded={!closed.has(item.pool)} onClick={() => setClosed(flip(closed, item.pool))}>
                <Icon name={closed.has(item.pool) ? "right" : "down"} />
                <b>{item.pool}</b>
                <span class={`pill ${item.up < item.all ? "bad" : ""}`}>
                  {item.up} of {item.all} up
                </span>
                {(data?.droppedTargetCounts?.[item.pool] ?? 0) > 0 && <span class="quiet">{data!.droppedTargetCounts![item.pool]} dropped</span>}
              </button>
            </h2>
          ) : (
            <TargetRow
              target={item.target}
              open={open.has(item.key)}
              toggle={() => setOpen(flip(open, item.key))}
              now={now}
              samples={samples.get(sortedName(item.target.labels))}
            />
          )
        }
      />
    </main>
  );
}
