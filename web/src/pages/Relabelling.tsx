// How a target got its labels: each rule of its job, and what the rule changed.
import { useApi } from "../base/api";
import type { LabelSet } from "../query/result";
import { ErrorBox, Skeleton, State } from "../ui/bits";
import { type Change, changesOf, type RelabelStep, ruleText } from "./relabel";

function ChangeText({ name, before, after }: Change) {
  return (
    <li>
      <span class="change-name">{name}</span>
      {before !== undefined && <del>{JSON.stringify(before)}</del>}
      {before !== undefined && after !== undefined && " "}
      {after !== undefined ? <ins>{JSON.stringify(after)}</ins> : <span class="quiet"> taken away</span>}
    </li>
  );
}

export function Relabelling({ pool, labels }: { pool: string; labels: LabelSet }) {
  const { data, error } = useApi<{ steps: RelabelStep[] }>("targets/relabel_steps", { scrapePool: pool, labels: JSON.stringify(labels) });
  if (error !== undefined) return <ErrorBox error={error} />;
  if (data === undefined) return <Skeleton rows={2} />;
  if (data.steps.length === 0) return <p class="quiet steps-note">This job has no relabel_configs: labels without a leading __ stay as they are.</p>;
  let before = labels;
  let over = false;
  return (
    <ol class="steps" aria-label="Steps of relabelling">
      {data.steps.map((step, i) => {
        const changes = step.keep ? changesOf(before, step.output) : [];
        const skipped = over;
        over ||= !step.keep;
        before = step.keep ? step.output : before;
        return (
          <li key={i} class={skipped ? "skipped" : ""}>
            <code>{ruleText(step.rule)}</code>
            {skipped ? (
              <span class="quiet">not reached</span>
            ) : !step.keep ? (
              <State mood="quiet">the target is dropped here</State>
            ) : changes.length === 0 ? (
              <span class="quiet">changes nothing</span>
            ) : (
              <ul>
                {changes.map((change) => (
                  <ChangeText key={change.name} {...change} />
                ))}
              </ul>
            )}
          </li>
        );
      })}
    </ol>
  );
}
