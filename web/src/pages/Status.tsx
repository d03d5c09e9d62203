// Runtime and build, and what the server says of itself in numbers.
import { useApi } from "../base/api";
import { humanDuration } from "../base/duration";
import { formatBytes, formatCount } from "../base/format";
import { type OwnMetrics, sum, useOwnMetrics } from "../base/metrics_text";
import { utc } from "../base/settings";
import { useStore } from "../base/store";
import { formatTime } from "../base/time";
import { ErrorBox, Skeleton, State, useNow } from "../ui/bits";
import { StatusHead } from "./StatusHead";
import { Alertmanagers, Facts, type Machine, MachineFacts, RemoteQueues } from "./StatusParts";

type Strings = Record<string, string | number | boolean>;
type Runtime = Strings & { narthex?: Machine };

// null: that number is not known here.
function tiles(metrics: OwnMetrics, uptimeS: number): [string, string, string][] {
  const get = (name: string) => sum(metrics, name);
  const written = get("narthex_storage_bytes_written_total");
  const samples = get("prometheus_tsdb_head_samples_appended_total");
  const disk = (get("prometheus_tsdb_storage_blocks_bytes") ?? 0) + (get("prometheus_tsdb_wal_storage_size_bytes") ?? 0);
  const perSample = written !== undefined && samples ? written / samples : undefined;
  const or = (value: number | undefined, format: (n: number) => string) => (value === undefined ? "–" : format(value));
  return [
    ["Series", or(get("prometheus_tsdb_head_series"), formatCount), "in the current head"],
    ["Samples", or(samples && uptimeS > 0 ? samples / uptimeS : undefined, (n) => formatCount(Math.round(n * 10) / 10) + "/s"), "appended, since the start"],
    ["Memory", or(get("process_resident_memory_bytes"), formatBytes), "resident"],
    ["CPU", or(get("process_cpu_seconds_total"), (n) => (uptimeS > 0 ? (Math.round((n / uptimeS) * 1000) / 10).toString() + "%" : "–")), "of one core, since the start"],
    ["On disk", formatBytes(disk), "blocks and journal"],
    ["Written", or(written, formatBytes), perSample === undefined ? "to disk, since the start" : `to disk: ${(Math.round(perSample * 100) / 100).toString()} bytes a sample`],
  ];
}

export function Status() {
  const runtime = useApi<Runtime>("status/runtimeinfo", {}, 15_000);
  const build = useApi<Strings>("status/buildinfo");
  const metrics = useOwnMetrics(15_000);
  const zone = useStore(utc);
  const now = useNow(5000);
  const error = runtime.error ?? build.error;
  const info = runtime.data;
  const started = info === undefined ? NaN : Date.parse(String(info.startTime));
  const uptimeS = Math.max(0, (now - started) / 1000);
  const time = (value: unknown) => formatTime(Date.parse(String(value)), zone);
  return (
    <main id="main">
      <StatusHead page="status" />
      {error !== undefined && <ErrorBox error={error} />}
      {info === undefined && error === undefined && <Skeleton rows={8} />}
      {info !== undefined && (
        <>
          <div class="tiles">
            {tiles(metrics ?? new Map(), uptimeS).map(([name, value, note]) => (
              <div class="card tile" key={name}>
                <span>{name}</span>
                <b>{metrics === undefined ? "–" : value}</b>
                <small>{note}</small>
              </div>
            ))}
          </div>
          <div class="columns">
            <Facts
              title="Runtime"
              rows={[
                ["Started", `${time(info.startTime)} (${humanDuration(Math.round(uptimeS))} ago)`],
                ["Host", String(info.hostname)],
                ["Working directory", String(info.CWD)],
                ["Configuration", info.reloadConfigSuccess ? <State mood="good">loaded {time(info.lastConfigTime)}</State> : <State mood="bad">the last reload failed; in force since {time(info.lastConfigTime)}</State>],
                ["Storage retention", String(info.storageRetention)],
                ["Corruptions", info.corruptionCount === 0 ? <State mood="good">none</State> : <State mood="bad">{String(info.corruptionCount)}</State>],
                ["Threads", String(info.goroutineCount)],
                ["Processors", String(info.GOMAXPROCS)],
              ]}
            />
            <div class="stack">
              {build.data !== undefined && (
              <Facts
                title="Build"
                rows={[
                  ["Version", String(build.data.version)],
                  ["Revision", String(build.data.revision)],
                  ["Branch", String(build.data.branch)],
                  ["Built by", String(build.data.buildUser)],
                  ["Built on", String(build.data.buildDate) || "–"],
                  ["Compiler", String(build.data.goVersion)],
                ]}
              />
              )}
              <MachineFacts machine={info.narthex} />
            </div>
          </div>
          <Alertmanagers metrics={metrics ?? new Map()} />
          <RemoteQueues metrics={metrics ?? new Map()} nowS={now / 1000} />
        </>
      )}
    </main>
  );
}
