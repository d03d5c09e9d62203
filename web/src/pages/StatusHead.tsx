// The status pages side by side.
import { Link } from "../base/router";

const PAGES = [
  ["status", "Overview"],
  ["tsdb-status", "Storage"],
  ["config", "Configuration"],
  ["flags", "Flags"],
  ["alertmanager-discovery", "Alertmanagers"],
] as const;

export function StatusHead({ page, children }: { page: (typeof PAGES)[number][0]; children?: preact.ComponentChildren }) {
  return (
    <div class="page-head">
      <h1>Status</h1>
      <nav class="segmented" aria-label="Status pages">
        {PAGES.map(([to, title]) => (
          <Link key={to} to={to} current={to === page}>
            {title}
          </Link>
        ))}
      </nav>
      {children}
    </div>
  );
}
