// Alert rules and their alerts: what fires comes first.
import { useMemo, useState } from "preact/hooks";
import { useApi } from "../base/api";
import { humanDuration } from "../base/duration";
import { formatNumber, parseValue } from "../base/format";
import { useSearchParam } from "../base/router";
import { utc } from "../base/settings";
import { useStore } from "../base/store";
import { ago, formatTime } from "../base/time";
import { matchesWords } from "../query/Dialogs";
import { Empty, ErrorBox, Icon, Labels, type Mood, SearchBox, Segmented, Skeleton, State, TextWithLinks, useNow } from "../ui/bits";
import { Expr } from "../ui/Expr";
import { Virtual } from "../ui/Virtual";
import { type Alert, type AlertState, baseName, countStates, type Group, type Rule, STATES } from "./rules_data";

const MOODS: Record<AlertState, Mood> = { firing: "bad", pending: "warn", inactive: "good" };
const TITLES: Record<string, string> = { all: "All", firing: "Firing", pending: "Pending", inactive: "Inactive" };

interface Item {
  key: string;
  rule: Rule;
  group: Group;
}

function itemsOf(groups: Group[], state: string, search: string): Item[] {
  const items: Item[] = [];
  for (const group of groups) {
    group.rules.forEach((rule, i) => {
      const text = [rule.name, group.name, ...Object.entries(rule.labels ?? {}).flat(), ...(rule.alerts ?? []).flatMap((a) => Object.values(a.labels))].join(" ");
      if ((state === "all" || rule.state === state) && matchesWords(text, search)) {
        items.push({ key: `${group.file}/${group.name}/${i}`, rule, group });
      }
    });
  }
  return items.sort((a, b) => STATES.indexOf(a.rule.state!) - STATES.indexOf(b.rule.state!));
}

function Annotations({ annotations }: { annotations: Record<string, string> }) {
  return (
    <dl class="annotations">
      {Object.entries(annotations).map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <TextWithLinks text={text} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function AlertRow({ alert, now }: { alert: Alert; now: number }) {
  const zone = useStore(utc);
  return (
    <div class="alert-row">
      <div class="alert-line">
        <State mood={MOODS[alert.state]}>{alert.state}</State>
        <Labels labels={alert.labels} hide={["alertname"]} />
        <span class="numbers">
          <span title="Value at the last evaluation">
            <small>value</small> {formatNumber(parseValue(alert.value), 6)}
          </span>
          <time dateTime={alert.activeAt} title={formatTime(Date.parse(alert.activeAt), zone, true)}>
            <small>since</small> {ago(alert.activeAt, now)}
          </time>
        </span>
      </div>
      {Object.keys(alert.annotations).length > 0 && <Annotations annotations={alert.annotations} />}
    </div>
  );
}

function RuleCard({ item, open, toggle, now }: { item: Item; open: boolean; toggle: () => void; now: number }) {
  const { rule, group } = item;
  const alerts = rule.alerts ?? [];
  const state = rule.state ?? "inactive";
  return (
    <article class={`card rule edge-${MOODS[state]}`}>
      <button type="button" class="rule-head" aria-expanded={open} onClick={toggle}>
        <Icon name={open ? "down" : "right"} />
        <State mood={MOODS[state]}>{state}</State>
        <b>{rule.name}</b>
        <Labels labels={rule.labels ?? {}} />
        <span class="where">
          {alerts.length > 0 && <span class="pill">{alerts.length === 1 ? "1 alert" : `${alerts.length} alerts`}</span>}
          <span class="quiet">
            {group.name} · {baseName(group.file)}
          </span>
        </span>
      </button>
      {rule.lastError !== undefined && rule.lastError !== "" && <p class="row-error">{rule.lastError}</p>}
      {open && (
        <div class="rule-body">
          <Expr text={rule.query} />
          <p class="quiet">
            {rule.duration ? `for ${humanDuration(rule.duration)}` : "fires at once"}
            {rule.keepFiringFor ? `, keeps firing for ${humanDuration(rule.keepFiringFor)}` : ""} · evaluated {ago(rule.lastEvaluation, now)}, took{" "}
            {humanDuration(rule.evaluationTime)}
          </p>
          {alerts.length === 0 && Object.keys(rule.annotations ?? {}).length > 0 && <Annotations annotations={rule.annotations!} />}
          {alerts.map((alert) => (
            <AlertRow key={JSON.stringify(alert.labels)} alert={alert} now={now} />
          ))}
        </div>
      )}
    </article>
  );
}

export function Alerts() {
  const { data, error } = useApi<{ groups: Group[] }>("rules", { type: "alert" }, 5000);
  const [state, setState] = useSearchParam("state", "all");
  const [search, setSearch] = useSearchParam("search");
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const now = useNow();
  const groups = data?.groups ?? [];
  const counts = countStates(groups);
  const items = useMemo(() => itemsOf(groups, state, search), [data, state, search]);
  // What fires is open unless closed by hand; all else the other way round.
  const isOpen = (item: Item) => (item.rule.state === "firing") !== toggled.has(item.key);
  const toggle = (key: string) => {
    const next = new Set(toggled);
    if (!next.delete(key)) next.add(key);
    setToggled(next);
  };
  const total = STATES.reduce((sum, one) => sum + counts[one], 0);
  return (
    <main id="main">
      <div class="page-head">
        <h1>Alerts</h1>
        <Segmented
          label="State"
          value={state}
          choices={["all", ...STATES].map((value) => ({
            value,
            label: (
              <>
                {TITLES[value]} <span class="count">{value === "all" ? total : counts[value as AlertState]}</span>
              </>
            ),
          }))}
          onChange={setState}
        />
        <SearchBox value={search} onInput={setSearch} placeholder="Filter by name or label" />
      </div>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton />}
      {data !== undefined && items.length === 0 && (
        <Empty>{total === 0 ? "No alert rule is loaded. Name rule files in rule_files of the configuration." : "No alert rule is like that."}</Empty>
      )}
      <Virtual
        items={items}
        keyOf={(item) => item.key}
        estimate={58}
        label="Alert rules"
        class="cards"
        render={(item) => <RuleCard item={item} open={isOpen(item)} toggle={() => toggle(item.key)} now={now} />}
      />
    </main>
  );
}
