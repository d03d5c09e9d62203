// What discovery found: every target, kept or dropped, with its labels before and after relabelling.
import { useMemo, useState } from "preact/hooks";
import { useApi } from "../base/api";
import { useSearchParam } from "../base/router";
import { matchesWords } from "../query/Dialogs";
import { type LabelSet, seriesName } from "../query/result";
import { Empty, ErrorBox, Icon, Labels, SearchBox, Segmented, Skeleton, State } from "../ui/bits";
import { Virtual } from "../ui/Virtual";
import { Relabelling } from "./Relabelling";

interface Found {
  discoveredLabels: LabelSet;
  labels?: LabelSet;
  scrapePool: string;
}

interface Data {
  activeTargets: Found[];
  droppedTargets: Found[];
  droppedTargetCounts: Record<string, number> | null;
}

type Item = { key: string; pool: string; kept: number; dropped: number } | { key: string; found: Found };

function itemsOf(data: Data | undefined, kind: string, search: string, closed: ReadonlySet<string>): Item[] {
  const all = [...(data?.activeTargets ?? []), ...(data?.droppedTargets ?? [])];
  const pools = new Map<string, Found[]>();
  for (const one of all) {
    const pool = pools.get(one.scrapePool);
    if (pool === undefined) pools.set(one.scrapePool, [one]);
    else pool.push(one);
  }
  const items: Item[] = [];
  for (const [pool, members] of pools) {
    const shown = members.filter(
      (one) =>
        (kind === "all" || (kind === "dropped") === (one.labels === undefined)) &&
        matchesWords(`${one.scrapePool} ${seriesName(one.discoveredLabels)}`, search),
    );
    if (shown.length === 0) continue;
    const kept = members.filter((one) => one.labels !== undefined).length;
    items.push({ key: `pool ${pool}`, pool, kept, dropped: data?.droppedTargetCounts?.[pool] ?? members.length - kept });
    if (!closed.has(pool)) shown.forEach((found, i) => items.push({ key: `${pool} ${i} ${seriesName(found.discoveredLabels)}`, found }));
  }
  return items;
}

export function Discovery() {
  const { data, error } = useApi<Data>("targets", {}, 10_000);
  const [kind, setKind] = useSearchParam("kind", "all");
  const [search, setSearch] = useSearchParam("search");
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const items = useMemo(() => itemsOf(data, kind, search, closed), [data, kind, search, closed]);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const flip = (set: ReadonlySet<string>, key: string) => {
    const next = new Set(set);
    if (!next.delete(key)) next.add(key);
    return next;
  };
  return (
    <main id="main">
      <div class="page-head">
        <h1>Service discovery</h1>
        <Segmented
          label="Kind"
          value={kind}
          choices={[
            { value: "all", label: "All" },
            { value: "kept", label: <>Kept <span class="count">{data?.activeTargets.length ?? 0}</span></> },
            { value: "dropped", label: <>Dropped <span class="count">{Object.values(data?.droppedTargetCounts ?? {}).reduce((a, b) => a + b, 0)}</span></> },
          ]}
          onChange={setKind}
        />
        <SearchBox value={search} onInput={setSearch} placeholder="Filter by label" />
      </div>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton rows={8} />}
      {data !== undefined && items.length === 0 && <Empty>Nothing was discovered that is like that.</Empty>}
      <Virtual
        items={items}
        keyOf={(item) => item.key}
        estimate={120}
        label="Discovered targets"
        class="targets"
        render={(item) =>
          "pool" in item ? (
            <h2 class="pool">
              <button type="button" class="rule-head" aria-expanded={!closed.has(item.pool)} onClick={() => setClosed(flip(closed, item.pool))}>
                <Icon name={closed.has(item.pool) ? "right" : "down"} />
                <b>{item.pool}</b>
                <span class="pill">{item.kept} kept</span>
                {item.dropped > 0 && <span class="quiet">{item.dropped} dropped</span>}
              </button>
            </h2>
          ) : (
            <div class="found">
              <Labels labels={item.found.discoveredLabels} />
              <div class="found-line">
                {item.found.labels === undefined ? (
                  <State mood="quiet">dropped by relabelling</State>
                ) : (
                  <span class="after">
                    <Icon name="right" />
                    <Labels labels={item.found.labels} />
                  </span>
                )}
                <button
                  type="button"
                  class="quiet-button found-steps"
                  aria-expanded={open.has(item.key)}
                  aria-label={`Steps of relabelling of ${item.found.discoveredLabels.__address__ ?? "this target"}`}
                  onClick={() => setOpen(flip(open, item.key))}
                >
                  <Icon name={open.has(item.key) ? "down" : "right"} /> Steps
                </button>
              </div>
              {open.has(item.key) && <Relabelling pool={item.found.scrapePool} labels={item.found.discoveredLabels} />}
            </div>
          )
        }
      />
    </main>
  );
}
