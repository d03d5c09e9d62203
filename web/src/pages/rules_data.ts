// What /api/v1/rules answers.
import type { LabelSet } from "../query/result";

export type AlertState = "inactive" | "pending" | "firing";

export interface Alert {
  labels: LabelSet;
  annotations: LabelSet;
  state: AlertState;
  activeAt: string;
  keepFiringSince?: string;
  value: string;
}

export interface Rule {
  type: "alerting" | "recording";
  name: string;
  query: string;
  labels?: LabelSet;
  annotations?: LabelSet;
  state?: AlertState;
  duration?: number;
  keepFiringFor?: number;
  alerts?: Alert[] | null;
  health: "ok" | "err" | "unknown";
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
}

export interface Group {
  name: string;
  file: string;
  rules: Rule[];
  interval: number;
  limit?: number;
  evaluationTime: number;
  lastEvaluation: string;
}

export const STATES: AlertState[] = ["firing", "pending", "inactive"];

export function countStates(groups: Group[]): Record<AlertState, number> {
  const counts = { firing: 0, pending: 0, inactive: 0 };
  for (const group of groups) for (const rule of group.rules) if (rule.state !== undefined) ++counts[rule.state];
  return counts;
}

// "/etc/prometheus/rules.d/node.yml" -> "node.yml"
export const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
