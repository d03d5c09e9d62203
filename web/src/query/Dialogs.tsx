// What a panel's buttons open: the metrics of the server, and the queries that ran in this browser.
import { useEffect, useMemo, useState } from "preact/hooks";
import { useApi } from "../base/api";
import { history } from "../base/settings";
import { useStore } from "../base/store";
import { Dialog, Empty, ErrorBox, SearchBox, Skeleton } from "../ui/bits";
import { Colored } from "../ui/Expr";
import { Virtual } from "../ui/Virtual";
import { type AllMetadata, loadMetadata, metadataOf } from "./metadata";

export type DialogName = "metrics" | "history";

interface Props {
  name: DialogName;
  onClose: () => void;
  onInsert: (text: string) => void;
  onQuery: (expr: string) => void;
}

// All words must occur, in any order.
export function matchesWords(text: string, search: string): boolean {
  const low = text.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => low.includes(word));
}

// What one would ask about a metric of this type.
export function usualQuery(metric: string, type: string): string {
  if (type === "counter") return `rate(${metric}[5m])`;
  if (type === "histogram" && metric.endsWith("_bucket")) return `histogram_quantile(0.95, sum by (le) (rate(${metric}[5m])))`;
  return metric;
}

function Metrics({ onInsert, onQuery }: Omit<Props, "name" | "onClose">) {
  const names = useApi<string[]>("label/__name__/values");
  const [all, setAll] = useState<AllMetadata>({});
  const [search, setSearch] = useState("");
  useEffect(() => void loadMetadata().then(setAll), []);
  const found = useMemo(
    () => (names.data ?? []).filter((name) => matchesWords(`${name} ${metadataOf(all, name)?.help ?? ""}`, search)),
    [names.data, all, search],
  );
  return (
    <>
      <SearchBox value={search} onInput={setSearch} placeholder="Search names and help" />
      {names.error !== undefined && <ErrorBox error={names.error} />}
      {names.data === undefined && names.error === undefined && <Skeleton rows={8} />}
      {names.data !== undefined && found.length === 0 && <Empty>No metric has these words.</Empty>}
      <Virtual
        items={found}
        keyOf={(name) => name}
        estimate={62}
        box
        class="metric-list"
        label="Metrics"
        render={(name) => {
          const meta = metadataOf(all, name);
          return (
            <div class="metric">
              <button type="button" onClick={() => onInsert(name)} title="Insert into the expression">
                <b>{name}</b>
                <span class="pill">{[meta?.type ?? "unknown", meta?.unit ?? ""].filter((part) => part !== "").join(" · ")}</span>
                <span class="help">{meta?.help ?? "No help text"}</span>
              </button>
              <button type="button" class="quiet-button" onClick={() => onQuery(usualQuery(name, meta?.type ?? ""))}>
                Show
              </button>
            </div>
          );
        }}
      />
    </>
  );
}

function History({ onQuery }: Pick<Props, "onQuery">) {
  const past = useStore(history);
  const [search, setSearch] = useState("");
  const found = past.filter((expr) => matchesWords(expr, search));
  return (
    <>
      <SearchBox value={search} onInput={setSearch} placeholder="Search past queries" />
      {found.length === 0 && <Empty>{past.length === 0 ? "No query ran in this browser yet." : "No past query has these words."}</Empty>}
      <ul class="past">
        {found.map((expr) => (
          <li key={expr}>
            <button type="button" onClick={() => onQuery(expr)}>
              <Colored text={expr} />
            </button>
          </li>
        ))}
      </ul>
      {past.length > 0 && (
        <footer>
          <button type="button" class="quiet-button" onClick={() => history.set([])}>
            Forget all
          </button>
        </footer>
      )}
    </>
  );
}

export function Dialogs({ name, onClose, onInsert, onQuery }: Props) {
  const metrics = name === "metrics";
  return (
    <Dialog title={metrics ? "Metrics" : "History"} onClose={onClose} class="sheet">
      {metrics ? <Metrics onInsert={onInsert} onQuery={onQuery} /> : <History onQuery={onQuery} />}
    </Dialog>
  );
}
