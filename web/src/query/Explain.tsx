// How the engine would run an expression: its operators, outermost first, and what the last run read.
import { useMemo } from "preact/hooks";
import { formatCount } from "../base/format";
import { humanDuration } from "../base/duration";
import { Colored } from "../ui/Expr";
import { useApi } from "../base/api";
import { ErrorBox, Skeleton } from "../ui/bits";
import type { QueryData } from "./result";
import { type Panel, stepMs } from "./state";

interface PlanLine {
  depth: number;
  name: string;
  rest: string;
}

// One operator a line, two blanks a level.
export function parsePlan(text: string): PlanLine[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const body = line.trimStart();
      const cut = body.search(/[\s(]/);
      return {
        depth: Math.floor((line.length - body.length) / 2),
        name: cut < 0 ? body : body.slice(0, cut),
        rest: cut < 0 ? "" : body.slice(cut).trim(),
      };
    });
}

function Facts({ data, nowMs }: { data: QueryData | undefined; nowMs: number }) {
  const stats = data?.stats;
  return (
    <dl class="facts">
      <div>
        <dt>Evaluation</dt>
        <dd>{stats === undefined ? "–" : humanDuration(stats.timings.evalTotalTime)}</dd>
      </div>
      <div>
        <dt>Round trip</dt>
        <dd>{stats === undefined ? "–" : humanDuration(nowMs / 1000)}</dd>
      </div>
      <div>
        <dt>Samples read</dt>
        <dd>{stats === undefined ? "–" : formatCount(stats.samples.totalQueryableSamples)}</dd>
      </div>
      <div>
        <dt>Most samples at once</dt>
        <dd>{stats === undefined ? "–" : formatCount(stats.samples.peakSamples)}</dd>
      </div>
      <div>
        <dt>Series</dt>
        <dd>{data === undefined ? "–" : Array.isArray(data.result) && data.resultType !== "scalar" ? formatCount(data.result.length) : "1"}</dd>
      </div>
    </dl>
  );
}

export function Explain({ panel, data, tookMs }: { panel: Panel; data: QueryData | undefined; tookMs: number }) {
  const endS = useMemo(() => Math.floor((panel.endMs ?? Date.now()) / 1000), [panel]);
  const plan = useApi<{ plan: string }>("query_plan", {
    query: panel.expr,
    start: endS - panel.rangeMs / 1000,
    end: endS,
    step: stepMs(panel) / 1000,
  });
  return (
    <div class="explain">
      <Facts data={data} nowMs={tookMs} />
      {plan.error !== undefined && <ErrorBox error={plan.error} />}
      {plan.loading && <Skeleton rows={3} />}
      {plan.data !== undefined && plan.error === undefined && (
        <ol class="plan" aria-label="Operators of the query">
          {parsePlan(plan.data.plan).map((line, i) => (
            <li key={i} style={{ marginLeft: `${line.depth * 22}px` }} class={line.depth > 0 ? "child" : ""}>
              <b>{line.name}</b> <code><Colored text={line.rest} /></code>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
