// What the steps of relabelling do to the labels of a target.
import type { LabelSet } from "../query/result";

export interface RelabelRule {
  sourceLabels?: string[];
  separator?: string;
  regex?: string;
  modulus?: number;
  targetLabel?: string;
  replacement?: string;
  action?: string;
}

export interface RelabelStep {
  rule: RelabelRule;
  output: LabelSet;
  keep: boolean;
}

export interface Change {
  name: string;
  before: string | undefined;
  after: string | undefined;
}

// An empty value is no label.
export function changesOf(before: LabelSet, after: LabelSet): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .map((name) => ({ name, before: before[name] || undefined, after: after[name] || undefined }))
    .filter((one) => one.before !== one.after);
}

// The rule in a line, without what is at its default.
export function ruleText(rule: RelabelRule): string {
  const action = rule.action ?? "replace";
  const source = (rule.sourceLabels ?? []).join(rule.separator === undefined || rule.separator === ";" ? ", " : ` ${JSON.stringify(rule.separator)} `);
  const parts = [action];
  if (source !== "") parts.push(source);
  if (rule.regex !== undefined && rule.regex !== "(.*)" && rule.regex !== "") parts.push(`=~ ${JSON.stringify(rule.regex)}`);
  if (rule.modulus !== undefined && rule.modulus !== 0) parts.push(`mod ${rule.modulus}`);
  const target = rule.targetLabel ?? "";
  const replacement = rule.replacement ?? "";
  if (action === "replace") parts.push(`→ ${target} = ${JSON.stringify(replacement)}`);
  else if (action === "labelmap") parts.push(`→ ${JSON.stringify(replacement)}`);
  else if (target !== "") parts.push(`→ ${target}`);
  return parts.join(" ");
}
