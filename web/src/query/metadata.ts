// Help, type and unit of metrics, as the targets tell them. Fetched once a minute at most.
import { api } from "../base/api";

export interface Metadata {
  type: string;
  unit: string;
  help: string;
}

export type AllMetadata = Record<string, Metadata[]>;

const KEEP_MS = 60_000;
let known: Promise<AllMetadata> | null = null;
let since = 0;

export function loadMetadata(): Promise<AllMetadata> {
  if (known === null || Date.now() - since > KEEP_MS) {
    since = Date.now();
    known = api<AllMetadata>("metadata").then(
      ({ data }) => data,
      () => {
        known = null;
        return {};
      },
    );
  }
  return known;
}

// The series of a histogram or summary are known under the name without suffix.
export function metadataOf(all: AllMetadata, metric: string): Metadata | undefined {
  const own = all[metric] ?? all[metric.replace(/_(bucket|sum|count|total|created|info)$/, "")];
  return own?.[0];
}
