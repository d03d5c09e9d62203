// All rules, group by group.
import { useMemo } from "preact/hooks";
import { useApi } from "../base/api";
import { humanDuration } from "../base/duration";
import { useSearchParam } from "../base/router";
import { ago } from "../base/time";
import { matchesWords } from "../query/Dialogs";
import { Empty, ErrorBox, Labels, SearchBox, Segmented, Skeleton, State, useNow } from "../ui/bits";
import { Expr } from "../ui/Expr";
import { Virtual } from "../ui/Virtual";
import { baseName, type Group, type Rule } from "./rules_data";

const SHOWN = { all: "All", err: "Failing", alerting: "Alerting", recording: "Recording" };

const fits = (rule: Rule, kind: string) => kind === "all" || (kind === "err" ? rule.health === "err" : rule.type === kind);

function filter(groups: Group[], kind: string, search: string): Group[] {
  return groups
    .map((group) => ({
      ...group,
      rules: group.rules.filter((rule) => fits(rule, kind) && matchesWords(`${rule.name} ${rule.query} ${group.name} ${group.file}`, search)),
    }))
    .filter((group) => group.rules.length > 0);
}

function Health({ health }: { health: Rule["health"] }) {
  if (health === "ok") return <State mood="good">ok</State>;
  return health === "err" ? <State mood="bad">error</State> : <State mood="quiet">unknown</State>;
}

function RuleRow({ rule, now }: { rule: Rule; now: number }) {
  return (
    <div class="rule-row">
      <div class="rule-what">
        <div class="rule-title">
          <Health health={rule.health} />
          <span class="pill">{rule.type === "alerting" ? "alert" : "record"}</span>
          <b>{rule.name}</b>
          <Labels labels={rule.labels ?? {}} />
        </div>
        <Expr text={rule.query} />
        {rule.duration !== undefined && rule.duration > 0 && <p class="quiet">for {humanDuration(rule.duration)}</p>}
        {rule.lastError !== undefined && rule.lastError !== "" && <p class="row-error">{rule.lastError}</p>}
      </div>
      <span class="numbers">
        <span>
          <small>evaluated</small> {ago(rule.lastEvaluation, now)}
        </span>
        <span>
          <small>took</small> {humanDuration(rule.evaluationTime)}
        </span>
      </span>
    </div>
  );
}

export function Rules() {
  const { data, error } = useApi<{ groups: Group[] }>("rules", {}, 5000);
  const [kind, setKind] = useSearchParam("kind", "all");
  const [search, setSearch] = useSearchParam("search");
  const now = useNow();
  const groups = useMemo(() => filter(data?.groups ?? [], kind, search), [data, kind, search]);
  const count = (one: string) => (data?.groups ?? []).reduce((sum, group) => sum + group.rules.filter((rule) => fits(rule, one)).length, 0);
  return (
    <main id="main">
      <div class="page-head">
        <h1>Rules</h1>
        <Segmented
          label="Kind"
          value={kind}
          choices={Object.entries(SHOWN).map(([value, title]) => ({
            value,
            label: (
              <>
                {title} <span class="count">{count(value)}</span>
              </>
            ),
          }))}
          onChange={setKind}
        />
        <SearchBox value={search} onInput={setSearch} placeholder="Filter by name, expression or file" />
      </div>
      {error !== undefined && <ErrorBox error={error} />}
      {data === undefined && error === undefined && <Skeleton />}
      {data !== undefined && groups.length === 0 && (
        <Empty>{data.groups.length === 0 ? "No rule is loaded. Name rule files in rule_files of the configuration." : "No rule is like that."}</Empty>
      )}
      <Virtual
        items={groups}
        keyOf={(group) => `${group.file};${group.name}`}
        estimate={320}
        label="Rule groups"
        class="cards"
        render={(group) => (
          <section class="card group">
            <header>
              <h2>{group.name}</h2>
              <span class="quiet" title={group.file}>
                {baseName(group.file)}
              </span>
              <span class="numbers">
                <span>
                  <small>every</small> {humanDuration(group.interval)}
                </span>
                <span>
                  <small>evaluated</small> {ago(group.lastEvaluation, now)}
                </span>
                <span>
                  <small>took</small> {humanDuration(group.evaluationTime)}
                </span>
              </span>
            </header>
            {group.rules.map((rule, i) => (
              <RuleRow key={i} rule={rule} now={now} />
            ))}
          </section>
        )}
      />
    </main>
  );
}
