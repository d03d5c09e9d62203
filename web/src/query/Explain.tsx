// How the engine runs an expression over the range of the graph: its operators, outermost first, with what each
// delivered, the bytes of its batches and its time (that of the operators below it included).
import { useMemo } from "preact/hooks";
import { formatBytes, formatCount } from "../base/format";
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
  did?: { series: number; samples: number; bytes: number; seconds: number };
}

const DID = /\s*\[series=(\d+) samples=(\d+) batch_bytes=(\d+) time=([\d.]+)ms\]$/;

// One operator a line, two blanks a level.
export function parsePlan(text: string): PlanLine[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const match = DID.exec(line);
      const whole = match === null ? line : line.slice(0, match.index);
      const body = whole.trimStart();
      const cut = body.search(/[\s(]/);
      const plan: PlanLine = {
        depth: Math.floor((whole.length - body.length) / 2),
        name: cut < 0 ? body : body.slice(0, cut),
        rest: cut < 0 ? "" : body.slice(cut).trim(),
      };
      if (match === null) return plan;
      const [series, samples, bytes, ms] = match.slice(1).map(Number) as [number, number, number, number];
      return { ...plan, did: { series, samples, bytes, seconds: ms / 1000 } };
    });
}

// All lines, with the share of the whole time as a bar.
function PlanTable({ lines }: { lines: PlanLine[] }) {
  const whole = Math.max(...lines.map((line) => line.did?.seconds ?? 0), 1e-9);
  return (
    <div class="plan-box">
      <table class="plan">
        <thead>
          <tr>
            <th scope="col">Operator</th>
            <th scope="col">Series</th>
            <th scope="col">Samples</th>
            <th scope="col">Bytes a batch</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line, i) => (
            <tr key={i}>
              <th scope="row">
                <span class={line.depth > 0 ? "child" : ""} style={{ marginLeft: `${line.depth * 20}px` }}>
                  <b>{line.name}</b> <code><Colored text={line.rest} /></code>
                </span>
              </th>
              <td>{line.did === undefined ? "" : formatCount(line.did.series)}</td>
              <td>{line.did === undefined ? "" : formatCount(line.did.samples)}</td>
              <td>{line.did === undefined ? "" : formatBytes(line.did.bytes)}</td>
              <td class="time">
                {line.did !== undefined && (
                  <>
                    <span class="share" style={{ width: `${(100 * line.did.seconds) / whole}%` }} />
                    <span>{humanDuration(line.did.seconds)}</span>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Facts({ data, nowMs }: { data: QueryData | undefined; nowMs: number }) {
  const stats = data?.stats;
  return (
    <dl class="facts">
      <div>
        <dt>Evaluation, now</dt>
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
    analyze: "true",
  });
  return (
    <div class="explain">
      <Facts data={data} nowMs={tookMs} />
      {plan.error !== undefined && <ErrorBox error={plan.error} />}
      {plan.loading && <Skeleton rows={3} />}
      {plan.data !== undefined && plan.error === undefined && (
        <PlanTable lines={parsePlan(plan.data.plan)} />
      )}
    </div>
  );
}
