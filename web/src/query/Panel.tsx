// One panel: an expression, and its answer as table, graph or plan.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../base/api";
import { humanDuration } from "../base/duration";
import { formatCount } from "../base/format";
import { remember } from "../base/settings";
import { Empty, ErrorBox, Icon, Notices, Segmented, Skeleton } from "../ui/bits";
import { GraphControls, TableControls } from "./Controls";
import { Dialogs, type DialogName } from "./Dialogs";
import { Editor } from "./Editor";
import type { Editor as CodeEditor } from "./editor";
import { Explain } from "./Explain";
import { type Exemplar, loadExemplars } from "./exemplars";
import { Graph, type Shot } from "./Graph";
import type { QueryData } from "./result";
import { type Panel as PanelState, stepMs, type Tab } from "./state";
import { Table } from "./Table";

interface Answered {
  expr: string;
  tab: Tab;
  data?: QueryData;
  shot?: Shot;
  error?: ApiError;
  warnings: string[];
  infos: string[];
  tookMs: number;
}

interface Props {
  panel: PanelState;
  only: boolean;
  autofocus: boolean;
  tick: number; // changes when the page wants fresh answers
  onChange: (panel: PanelState, entry: boolean) => void;
  onRemove: () => void;
}

async function ask(panel: PanelState, signal: AbortSignal): Promise<Answered> {
  const began = performance.now();
  const endS = (panel.endMs ?? Date.now()) / 1000;
  const base = { expr: panel.expr, tab: panel.tab };
  try {
    if (panel.tab !== "graph") {
      const params = { query: panel.expr, time: endS.toFixed(3), stats: "all" };
      const answer = await api<QueryData>("query", params, signal, true);
      return { ...base, ...answer, tookMs: performance.now() - began };
    }
    const stepS = stepMs(panel) / 1000;
    const startS = endS - panel.rangeMs / 1000;
    const params = { query: panel.expr, start: startS.toFixed(3), end: endS.toFixed(3), step: stepS, stats: "all" };
    let exemplars: Exemplar[] = [];
    let failed: string[] = [];
    const [answer] = await Promise.all([
      api<QueryData>("query_range", params, signal, true),
      panel.exemplars &&
        loadExemplars(panel.expr, startS, endS, stepS, signal).then(
          (found) => (exemplars = found),
          (error: ApiError) => (failed = [`Exemplars: ${error.message}`]),
        ),
    ]);
    const shot = { data: answer.data, exemplars, expr: panel.expr, startS, endS, stepS };
    return { ...base, ...answer, warnings: [...answer.warnings, ...failed], shot, tookMs: performance.now() - began };
  } catch (error) {
    if (signal.aborted) throw error;
    return { ...base, error: error as ApiError, warnings: [], infos: [], tookMs: performance.now() - began };
  }
}

function useAnswer(panel: PanelState, tick: number): { answer: Answered | undefined; loading: boolean } {
  const [answer, setAnswer] = useState<Answered | undefined>(undefined);
  const [loading, setLoading] = useState(false);
  const range = panel.tab === "graph" ? `${panel.rangeMs}/${stepMs(panel)}/${panel.exemplars}` : "";
  useEffect(() => {
    if (panel.expr.trim() === "") {
      setAnswer(undefined);
      return;
    }
    const abort = new AbortController();
    setLoading(true);
    ask(panel, abort.signal).then(
      (next) => {
        setAnswer(next);
        setLoading(false);
      },
      () => {}, // overtaken by the next question
    );
    return () => abort.abort();
  }, [panel.expr, panel.tab, panel.endMs, range, tick]);
  return { answer, loading };
}

function View({ panel, answer, loading, update }: {
  panel: PanelState; answer: Answered | undefined; loading: boolean; update: (part: Partial<PanelState>) => void;
}) {
  if (panel.expr.trim() === "") return <Empty>No expression yet. Type one above, or pick a metric from the list.</Empty>;
  if (answer?.error !== undefined) return <ErrorBox error={answer.error} title="The query failed" />;
  // An answer for the other tab tells nothing here.
  if (answer === undefined || answer.data === undefined || answer.tab !== panel.tab) {
    return panel.tab === "graph" ? <div class="graph-space" aria-busy={loading} /> : <Skeleton />;
  }
  if (panel.tab === "table") return <Table data={answer.data} />;
  if (panel.tab === "explain") return <Explain key={answer.expr} panel={panel} data={answer.data} tookMs={answer.tookMs} />;
  const shot = answer.shot!;
  return (
    <Graph
      shot={shot}
      panel={panel}
      onZoom={(from, to) => update({ endMs: Math.round(to * 1000), rangeMs: Math.max(1000, Math.round(to - from) * 1000) })}
      onZoomOut={() => {
        const middle = ((shot.startS + shot.endS) / 2) * 1000;
        const endMs = Math.round(middle + panel.rangeMs);
        update({ endMs: endMs >= Date.now() ? null : endMs, rangeMs: panel.rangeMs * 2 });
      }}
    />
  );
}

function resultFacts(answer: Answered): string {
  const result = answer.data?.result;
  const series = Array.isArray(result) && answer.data?.resultType !== "scalar" ? result.length : 1;
  const read = answer.data?.stats?.samples.totalQueryableSamples;
  return [
    humanDuration(Math.max(answer.tookMs, 1) / 1000),
    series === 1 ? "1 series" : `${formatCount(series)} series`,
    read === undefined ? "" : `${formatCount(read)} ${read === 1 ? "sample" : "samples"} read`,
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

export function Panel({ panel, only, autofocus, tick, onChange, onRemove }: Props) {
  const draft = useRef(panel.expr); // what stands in the editor
  const [again, setAgain] = useState(0);
  const [dialog, setDialog] = useState<DialogName | null>(null);
  const editor = useRef<CodeEditor | null>(null);
  const { answer, loading } = useAnswer(panel, tick + again);
  useEffect(() => {
    draft.current = panel.expr;
  }, [panel.expr]);

  const update = (part: Partial<PanelState>) => onChange({ ...panel, ...part }, false);
  const execute = (expr = draft.current) => {
    remember(expr);
    if (expr.trim() === panel.expr.trim()) setAgain((n) => n + 1);
    else onChange({ ...panel, expr: expr.trim() }, true);
  };
  // What does not parse stays as it is: the editor underlines it.
  const tidy = () =>
    void api<string>("format_query", { query: draft.current }, undefined, true).then(
      ({ data }) => {
        draft.current = data;
        editor.current?.setText(data);
      },
      () => {},
    );
  const label = "PromQL expression";
  return (
    <section class="panel card" aria-label={panel.expr === "" ? "New panel" : `Panel of ${panel.expr}`}>
      <div class="ask">
        <Editor
          text={panel.expr}
          label={label}
          autofocus={autofocus}
          onChange={(text) => (draft.current = text)}
          onExecute={() => execute()}
          hold={(one) => (editor.current = one)}
        />
        <div class="ask-buttons">
          <button type="button" class="plain" title="Format the expression" aria-label="Format the expression" onClick={tidy}>
            <Icon name="tidy" />
          </button>
          <button type="button" class="plain" title="Metrics of this server" aria-label="Metrics" onClick={() => setDialog("metrics")}>
            <Icon name="book" />
          </button>
          <button type="button" class="plain" title="Queries that ran here" aria-label="History" onClick={() => setDialog("history")}>
            <Icon name="history" />
          </button>
          <button type="button" class="primary" onClick={() => execute()}>
            Execute
          </button>
          {!only && (
            <button type="button" class="plain remove" title="Remove this panel" aria-label="Remove this panel" onClick={onRemove}>
              <Icon name="close" />
            </button>
          )}
        </div>
      </div>
      <div class="panel-bar">
        <Segmented
          label="View"
          value={panel.tab}
          choices={[
            { value: "table", label: "Table" },
            { value: "graph", label: "Graph" },
            { value: "explain", label: "Explain" },
          ]}
          onChange={(tab) => onChange({ ...panel, tab, expr: draft.current.trim() === "" ? panel.expr : draft.current.trim() }, false)}
        />
        {panel.tab === "graph" ? <GraphControls panel={panel} update={update} /> : <TableControls panel={panel} update={update} />}
      </div>
      <div class={`answer ${loading ? "loading" : ""}`} aria-busy={loading}>
        {answer !== undefined && answer.tab === panel.tab && (
          <>
            <Notices items={answer.warnings} kind="warn" />
            <Notices items={answer.infos} kind="info" />
          </>
        )}
        <View panel={panel} answer={answer} loading={loading} update={update} />
      </div>
      <footer class="panel-foot">{answer !== undefined && answer.error === undefined ? resultFacts(answer) : ""}&nbsp;</footer>
      {dialog !== null && (
        <Dialogs
          name={dialog}
          onClose={() => setDialog(null)}
          onInsert={(text) => {
            setDialog(null);
            if (editor.current === null) execute(draft.current + text);
            else editor.current.insert(text);
          }}
          onQuery={(expr) => {
            setDialog(null);
            editor.current?.setText(expr);
            execute(expr);
          }}
        />
      )}
    </section>
  );
}
