// Time, resolution and looks of a panel.
import { useEffect, useState } from "preact/hooks";
import { formatDuration, parseDuration } from "../base/duration";
import { utc } from "../base/settings";
import { useStore } from "../base/store";
import { formatTime, parseTime } from "../base/time";
import { Icon, Segmented } from "../ui/bits";
import { type Display, type Panel, parseThresholds, type Step, stepMs } from "./state";

type Update = (part: Partial<Panel>) => void;

const M = 60_000;
const EXAMPLE_MS = Date.UTC(2026, 0, 31, 18, 30);
const RANGES = [1, 5, 15, 30, 60, 120, 360, 720, 1440, 2880, 10080, 20160, 40320, 80640, 525600].map((m) => m * M);

// The next range in the list above, up or down.
export function nextRange(ms: number, up: boolean): number {
  if (up) return RANGES.find((range) => range > ms) ?? ms * 2;
  return [...RANGES].reverse().find((range) => range < ms) ?? ms;
}

// A text that is taken when it is complete: on Enter, or when the focus leaves. What is wrong is marked, not taken.
function Field(props: { value: string; label: string; valid: (text: string) => boolean; onCommit: (text: string) => void; list?: string; class?: string; placeholder?: string }) {
  const [text, setText] = useState(props.value);
  useEffect(() => setText(props.value), [props.value]);
  const commit = () => {
    if (text !== props.value && props.valid(text)) props.onCommit(text);
  };
  return (
    <input
      class={props.class}
      value={text}
      aria-label={props.label}
      title={props.label}
      placeholder={props.placeholder}
      aria-invalid={!props.valid(text)}
      list={props.list}
      spellcheck={false}
      onInput={(event) => setText(event.currentTarget.value)}
      onChange={commit}
      onKeyDown={(event) => event.key === "Enter" && commit()}
    />
  );
}

function RangeField({ panel, update }: { panel: Panel; update: Update }) {
  const set = (rangeMs: number) => update({ rangeMs });
  return (
    <div class="joined" role="group" aria-label="Range">
      <button type="button" aria-label="Shorter range" onClick={() => set(nextRange(panel.rangeMs, false))}>
        <Icon name="minus" />
      </button>
      <Field
        class="range"
        label="Range of the graph, for example 1h30m"
        value={formatDuration(panel.rangeMs)}
        valid={(text) => (parseDuration(text) ?? 0) > 0}
        onCommit={(text) => set(parseDuration(text)!)}
      />
      <button type="button" aria-label="Longer range" onClick={() => set(nextRange(panel.rangeMs, true))}>
        <Icon name="plus" />
      </button>
    </div>
  );
}

function TimeField({ panel, update, by, label }: { panel: Panel; update: Update; by: number; label: string }) {
  const zone = useStore(utc);
  const move = (sign: number) => update({ endMs: (panel.endMs ?? Date.now()) + sign * by });
  return (
    <div class="joined" role="group" aria-label={label}>
      <button type="button" aria-label="Earlier" onClick={() => move(-1)}>
        <Icon name="left" />
      </button>
      <Field
        class="time"
        label={`${label} (${zone ? "UTC" : "local time"}), for example ${formatTime(EXAMPLE_MS, zone)}`}
        placeholder="now"
        value={panel.endMs === null ? "" : formatTime(panel.endMs, zone)}
        valid={(text) => text.trim() === "" || parseTime(text, zone) !== null}
        onCommit={(text) => update({ endMs: text.trim() === "" ? null : parseTime(text, zone) })}
      />
      <button type="button" aria-label="Later" disabled={panel.endMs === null} onClick={() => move(1)}>
        <Icon name="right" />
      </button>
      <button type="button" aria-pressed={panel.endMs === null} onClick={() => update({ endMs: panel.endMs === null ? Date.now() : null })}>
        Now
      </button>
    </div>
  );
}

export function TableControls({ panel, update }: { panel: Panel; update: Update }) {
  return (
    <div class="controls">
      <TimeField panel={panel} update={update} by={panel.rangeMs / 2} label="Evaluation time" />
    </div>
  );
}

function StepField({ panel, update }: { panel: Panel; update: Update }) {
  const value = panel.step.kind === "auto" ? panel.step.density : "fixed";
  const choose = (next: string) => {
    const step: Step =
      next === "fixed" ? { kind: "fixed", ms: stepMs(panel) } : { kind: "auto", density: next as "low" | "medium" | "high" };
    update({ step });
  };
  return (
    <div class="joined" role="group" aria-label="Resolution">
      <select aria-label="Resolution" title="Resolution" value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="low">Low res.</option>
        <option value="medium">Medium res.</option>
        <option value="high">High res.</option>
        <option value="fixed">Fixed step</option>
      </select>
      {panel.step.kind === "fixed" && (
        <Field
          class="step"
          label="Step of the graph, for example 15s"
          value={formatDuration(panel.step.ms)}
          valid={(text) => (parseDuration(text) ?? 0) > 0}
          onCommit={(text) => update({ step: { kind: "fixed", ms: parseDuration(text)! } })}
        />
      )}
    </div>
  );
}

export function GraphControls({ panel, update }: { panel: Panel; update: Update }) {
  const valid = (text: string) => text.split(/[,;\s]+/).every((part) => part === "" || Number.isFinite(Number(part)));
  return (
    <div class="controls">
      <RangeField panel={panel} update={update} />
      <TimeField panel={panel} update={update} by={panel.rangeMs / 2} label="End time" />
      <StepField panel={panel} update={update} />
      <Segmented<Display>
        label="Display"
        value={panel.display}
        choices={[
          { value: "lines", label: "Lines" },
          { value: "stacked", label: "Stacked" },
          { value: "points", label: "Points" },
          { value: "heatmap", label: "Heat map", title: "For histograms: native ones, or series with le" },
        ]}
        onChange={(display) => update({ display })}
      />
      <label class="check" title="Logarithmic axis">
        <input type="checkbox" checked={panel.log} onChange={(event) => update({ log: event.currentTarget.checked })} />
        Log
      </label>
      <label class="check" title="Single observations, with the labels that were stored with them">
        <input type="checkbox" checked={panel.exemplars} onChange={(event) => update({ exemplars: event.currentTarget.checked })} />
        Exemplars
      </label>
      <Field
        class="thresholds"
        label="Thresholds: numbers, drawn as dashed lines"
        placeholder="Thresholds"
        value={panel.thresholds.join(", ")}
        valid={valid}
        onCommit={(text) => update({ thresholds: parseThresholds(text) })}
      />
    </div>
  );
}
