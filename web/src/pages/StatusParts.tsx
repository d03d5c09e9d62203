// Parts of the overview: what queries run on, the flash disk, Alertmanagers, remote queues.
import { useApi } from "../base/api";
import { humanDuration } from "../base/duration";
import { formatBytes, formatCount } from "../base/format";
import { type OwnMetrics, samplesOf } from "../base/metrics_text";
import { State } from "../ui/bits";

export interface Disk {
  device: string;
  kind: string;
  usedPercent: number;
  reserve: string;
  bytesWritten?: number;
  daysLeft?: number;
}

export interface Machine {
  kernels?: Record<string, string>;
  disk?: Disk;
}

export type Rows = [string, preact.ComponentChildren][];

export function Facts({ title, rows }: { title: string; rows: Rows }) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <dl class="pairs">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

// Days, once there are too many of them to count, as years.
export function lifeText(days: number): string {
  if (days >= 730) return `about ${Math.round(days / 365)} years`;
  return days === 1 ? "1 day" : `${formatCount(days)} days`;
}

function diskRows(disk: Disk): Rows {
  const mood = disk.usedPercent >= 90 || disk.reserve === "urgent" ? "bad" : disk.usedPercent >= 70 || disk.reserve === "warning" ? "warn" : "good";
  const rows: Rows = [
    ["Disk", `${disk.device} (${disk.kind})`],
    ["Life used", <State mood={mood}>{disk.kind === "eMMC" ? `at most ${disk.usedPercent}%` : `${disk.usedPercent}%`}</State>],
  ];
  if (disk.reserve !== "") rows.push(["Spare blocks", disk.reserve]);
  if (disk.daysLeft !== undefined) rows.push(["Life left", `${lifeText(disk.daysLeft)}, used as it was so far`]);
  if (disk.bytesWritten !== undefined) rows.push(["Written", `${formatBytes(disk.bytesWritten)} over its life`]);
  return rows;
}

// What queries run on: the processor's vector unit, or a device and its memory.
function kernelRows(kernels: Record<string, string>): Rows {
  const { backend, cpu, device, reason, cacheBytes, cacheBudgetBytes } = kernels;
  const rows: Rows = [["Kernels", backend === "cpu" ? (cpu ?? backend) : `${backend}, ${cpu ?? "cpu"}`]];
  if (device !== undefined) rows.push(["GPU", device]);
  else if (reason !== undefined) rows.push(["GPU", `none: ${reason}`]);
  if (cacheBudgetBytes !== undefined) {
    rows.push(["GPU memory", `${formatBytes(Number(cacheBytes))} of ${formatBytes(Number(cacheBudgetBytes))}`]);
  }
  return rows;
}

export function MachineFacts({ machine }: { machine: Machine | undefined }) {
  if (machine === undefined) return null;
  const rows: Rows = [];
  if (machine.kernels !== undefined) rows.push(...kernelRows(machine.kernels));
  if (machine.disk !== undefined) rows.push(...diskRows(machine.disk));
  return rows.length === 0 ? null : <Facts title="Machine" rows={rows} />;
}

interface Column<T> {
  title: string;
  of: (row: T) => preact.ComponentChildren;
  number?: boolean;
}

function Table<T>({ label, rows, columns }: { label: string; rows: T[]; columns: Column<T>[] }) {
  return (
    <div class="scroll-x" tabIndex={0} role="group" aria-label={label}>
      <table class="facts-table">
        <thead>
          <tr>
            {columns.map(({ title, number }) => (
              <th key={title} scope="col" class={number ? "number" : ""}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {columns.map(({ title, of, number }) => (
                <td key={title} class={number ? "number" : ""}>
                  {of(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// What one of several series of a metric says.
function valueOf(metrics: OwnMetrics, name: string, label: string, wanted: string): number {
  return samplesOf(metrics, name).reduce((sum, one) => sum + (one.labels[label] === wanted ? one.value : 0), 0);
}

export function Alertmanagers({ metrics }: { metrics: OwnMetrics }) {
  const { data } = useApi<{ activeAlertmanagers: { url: string }[] }>("alertmanagers", {}, 15_000);
  if (data === undefined) return null;
  const of = (name: string, url: string) => valueOf(metrics, `prometheus_notifications_${name}`, "alertmanager", url);
  const rows = data.activeAlertmanagers;
  return (
    <section class="card padded wide">
      <h2>Alertmanagers</h2>
      {rows.length === 0 ? (
        <p class="quiet">None is configured: alerts are evaluated and shown, but go to nobody.</p>
      ) : (
        <Table
          label="Alertmanagers"
          rows={rows}
          columns={[
            { title: "State", of: ({ url }) => (of("queue_length", url) === 0 ? <State mood="good">all delivered</State> : <State mood="warn">waiting</State>) },
            { title: "Address", of: ({ url }) => url.replace(/\/api\/v\d\/alerts$/, "") },
            { title: "Sent", number: true, of: ({ url }) => formatCount(of("sent_total", url)) },
            { title: "Waiting", number: true, of: ({ url }) => formatCount(of("queue_length", url)) },
            { title: "Errors", number: true, of: ({ url }) => formatCount(of("errors_total", url)) },
            { title: "Dropped", number: true, of: ({ url }) => formatCount(of("dropped_total", url)) },
          ]}
        />
      )}
    </section>
  );
}

export interface Queue {
  name: string;
  url: string;
  sent: number;
  pending: number;
  failed: number;
  retried: number;
  shards: number;
  behindS: number | undefined; // undefined: nothing was sent yet
}

const BEHIND_S = 120; // a queue sends in batches: some seconds are usual

export function queuesOf(metrics: OwnMetrics, nowS: number): Queue[] {
  const prefix = "prometheus_remote_storage_";
  return samplesOf(metrics, prefix + "shards").map(({ labels, value }) => {
    const of = (name: string) =>
      samplesOf(metrics, prefix + name).reduce((sum, one) => sum + (one.labels.remote_name === labels.remote_name && one.labels.url === labels.url ? one.value : 0), 0);
    const newest = of("queue_highest_sent_timestamp_seconds");
    return {
      name: labels.remote_name ?? "",
      url: labels.url ?? "",
      sent: of("samples_total") + of("histograms_total"),
      pending: of("samples_pending"),
      failed: of("samples_failed_total") + of("histograms_failed_total"),
      retried: of("samples_retried_total") + of("histograms_retried_total"),
      shards: value,
      behindS: newest > 0 ? Math.max(0, nowS - newest) : undefined,
    };
  });
}

function QueueState({ behindS }: Queue) {
  if (behindS === undefined) return <State mood="quiet">nothing sent yet</State>;
  return behindS > BEHIND_S ? <State mood="warn">behind</State> : <State mood="good">up to date</State>;
}

export function RemoteQueues({ metrics, nowS }: { metrics: OwnMetrics; nowS: number }) {
  const rows = queuesOf(metrics, nowS);
  if (rows.length === 0) return null;
  return (
    <section class="card padded wide">
      <h2>Remote write</h2>
      <Table
        label="Remote write queues"
        rows={rows}
        columns={[
          { title: "State", of: (one) => <QueueState {...one} /> },
          { title: "To", of: (one) => <span title={one.name}>{one.url}</span> },
          { title: "Newest sent", number: true, of: (one) => (one.behindS === undefined ? "–" : `${humanDuration(Math.round(one.behindS))} ago`) },
          { title: "Samples sent", number: true, of: (one) => formatCount(one.sent) },
          { title: "Pending", number: true, of: (one) => formatCount(one.pending) },
          { title: "Tried again", number: true, of: (one) => formatCount(one.retried) },
          { title: "Failed", number: true, of: (one) => formatCount(one.failed) },
          { title: "Shards", number: true, of: (one) => formatCount(one.shards) },
        ]}
      />
    </section>
  );
}
