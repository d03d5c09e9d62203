// A Narthex with something to look at: a fake exporter with many targets, one of which can be taken down, rules,
// an Alertmanager where there is one, and four hours of past data.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { remoteWrite } from "./remote_write.mjs";

const ALERTMANAGER = "/usr/bin/prometheus-alertmanager";
const NODE_EXPORTER = "/usr/bin/prometheus-node-exporter";
export const MANY = 1000;
const PAST = 4 * 3600; // s

export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export async function waitFor(what, probe, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no ${what} within ${seconds} s; last: ${last}`);
}

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const PUMPS = ["coolant", "feed", "return", "mixer", "vacuum"];
const PATHS = ["/", "/login", "/api/orders", "/api/stock", "/static"];

// Waves that differ from series to series and are the same in every run.
const wave = (t, i) => Math.sin(t / (700 + 130 * i) + i) + 0.4 * Math.sin(t / (95 + 17 * i));

function gauges(t) {
  return PUMPS.map((pump, i) => [
    { __name__: "pump_temperature_celsius", pump, hall: i < 3 ? "A" : "B" },
    45 + 6 * i + 5 * wave(t, i),
  ]);
}

// Counters grow by a rate that varies: the integral of a wave.
function counters(dt) {
  return PATHS.map((path, i) => {
    const period = 600 + 140 * i;
    return [
      { __name__: "http_requests_total", path, code: i === 3 ? "500" : "200" },
      Math.floor(dt * (30 - 5 * i) + (11 - 2 * i) * period * (1 - Math.cos(dt / period))),
    ];
  });
}

// Waits that grow and shrink: each bucket is the integral of a bell that moves up and down. `sums` are its sums so far.
function latency(dt, step, sums) {
  const middle = 4 + 2 * Math.sin(dt / 1500);
  let below = 0;
  const out = [...BOUNDS, "+Inf"].map((bound, i) => {
    sums[i] = (sums[i] ?? 0) + step * 40 * Math.exp(-((i - middle) ** 2) / 2.5);
    below += sums[i];
    return [{ __name__: "http_latency_seconds_bucket", le: String(bound) }, Math.floor(below)];
  });
  return out;
}

// Now and then one observation with its trace, in the bucket that it fell into.
function slowest(began, dt, le) {
  if (dt % 600 !== 300) return [];
  const value = 0.3 + 0.9 * Math.abs(wave(dt, 3));
  const bound = BOUNDS.find((one) => value <= one) ?? "+Inf";
  return String(bound) === le ? [[(began + dt) * 1000, value, { trace_id: (0x5eed0000 + dt).toString(16).padStart(16, "0") }]] : [];
}

async function writePast(url, began) {
  const all = new Map();
  const sums = [];
  for (let dt = 0; dt <= PAST; dt += 15) {
    for (const [labels, value] of [...gauges(began + dt), ...counters(dt), ...latency(dt, 15, sums)]) {
      const key = JSON.stringify(labels);
      if (!all.has(key)) all.set(key, { labels: { ...labels, job: "plant", instance: "edge-7:9100" }, samples: [], exemplars: [] });
      all.get(key).samples.push([(began + dt) * 1000, value]);
      if (labels.le !== undefined) all.get(key).exemplars.push(...slowest(began, dt, labels.le));
    }
  }
  await remoteWrite(url, [...all.values()]);
}

const page = (series) =>
  series.map(([{ __name__: name, ...labels }, value]) => `${name}{${Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(",")}} ${value}\n`).join("");

// plantBegan: when the data of the plant begins, s.
function exporter(plantBegan) {
  const state = { up: true, heat: 20 };
  const began = Date.now() / 1000;
  const server = http.createServer((request, response) => {
    if (request.url === "/flaky" && !state.up) {
      response.writeHead(503).end("down for a while");
      return;
    }
    if (request.method === "POST") {
      request.resume().on("end", () => response.writeHead(204).end()); // where remote write goes
      return;
    }
    const t = Date.now() / 1000 - began;
    response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" });
    if (request.url === "/plant") {
      const now = Date.now() / 1000;
      response.end(page([...gauges(now), ...counters(now - plantBegan)]));
      return;
    }
    response.end(`# HELP oven_temperature_celsius Temperature of the oven, measured at the door.
# TYPE oven_temperature_celsius gauge
oven_temperature_celsius ${state.heat}
# HELP oven_runs_total Times the oven was lit.
# TYPE oven_runs_total counter
oven_runs_total ${Math.floor(t)}
# HELP oven_wait_seconds How long a tray waits.
# TYPE oven_wait_seconds histogram
oven_wait_seconds_bucket{le="0.1"} ${Math.floor(t)}
oven_wait_seconds_bucket{le="1"} ${Math.floor(3 * t)}
oven_wait_seconds_bucket{le="+Inf"} ${Math.floor(4 * t)}
oven_wait_seconds_sum ${2 * t}
oven_wait_seconds_count ${Math.floor(4 * t)}
`);
  });
  return { state, server };
}

const RULES = `
groups:
  - name: oven
    rules:
      - record: job:up:avg
        expr: avg by (job) (up)
      - alert: OvenHot
        expr: oven_temperature_celsius{job="oven"} > 200
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.instance }} is at {{ $value }} °C"
          runbook: https://runbooks.example/oven-hot
      - alert: TargetDown
        expr: up == 0
        for: 1h
        labels: {severity: ticket}
        annotations: {summary: "{{ $labels.instance }} of {{ $labels.job }} is down"}
  - name: plant
    interval: 30s
    rules:
      - record: path:http_requests:rate5m
        expr: sum by (path) (rate(http_requests_total{job="plant"}[5m]))
      - alert: PumpWarm
        expr: pump_temperature_celsius > 95
        for: 10m
        labels: {severity: ticket}
        annotations: {summary: "Pump {{ $labels.pump }} is warm"}
      - record: broken:ratio
        expr: http_requests_total{path="/"} * on () http_requests_total
`;

export async function startWorld(binary, { prefix = "", many = MANY, flags = [] } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "narthex-page."));
  const children = [];
  const began = Math.floor(Date.now() / 1000 / 15) * 15 - PAST;
  const { state, server } = exporter(began);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = await freePort();
  const exporterAddress = `127.0.0.1:${server.address().port}`;
  const root = `http://127.0.0.1:${port}`;
  const url = root + prefix;
  const run = (name, ...args) => {
    const child = spawn(name, args, { cwd: folder, stdio: "ignore" });
    children.push(child);
    return child;
  };
  const stop = async () => {
    for (const child of children) child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    rmSync(folder, { recursive: true, force: true });
  };

  let alertmanager = "";
  if (existsSync(ALERTMANAGER)) {
    const amPort = await freePort();
    writeFileSync(path.join(folder, "am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n");
    run(ALERTMANAGER, "--config.file=am.yml", `--web.listen-address=127.0.0.1:${amPort}`, "--cluster.listen-address=", "--storage.path=am");
    alertmanager = `127.0.0.1:${amPort}`;
  }
  let node = "";
  if (existsSync(NODE_EXPORTER)) {
    node = `127.0.0.1:${await freePort()}`;
    run(NODE_EXPORTER, `--web.listen-address=${node}`);
  }
  const fleet = Array.from({ length: many }, (_, i) => ({
    targets: [exporterAddress],
    labels: { instance: `sensor-${String(i).padStart(4, "0")}:9100`, line: `line-${i % 8}` },
  }));
  writeFileSync(path.join(folder, "fleet.json"), JSON.stringify(fleet));
  writeFileSync(path.join(folder, "rules.yml"), RULES);
  writeFileSync(
    path.join(folder, "prometheus.yml"),
    `global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {site: edge-7}}
rule_files: [rules.yml]
storage: {tsdb: {out_of_order_time_window: 5h}}
remote_write: [{name: cloud, url: "http://${exporterAddress}/receive", write_relabel_configs: [{source_labels: [job], regex: oven, action: keep}]}]
${alertmanager === "" ? "" : `alerting: {alertmanagers: [{static_configs: [{targets: ["${alertmanager}"]}]}]}`}
scrape_configs:
  - job_name: narthex
    metrics_path: ${prefix}/metrics
    static_configs: [{targets: ["127.0.0.1:${port}"]}]
${node === "" ? "" : `  - job_name: node\n    static_configs: [{targets: ["${node}"]}]`}
  - job_name: oven
    convert_classic_histograms_to_nhcb: true
    static_configs: [{targets: ["${exporterAddress}"], labels: {hall: A}}]
  - job_name: plant
    metrics_path: /plant
    scrape_interval: 5s
    static_configs: [{targets: ["${exporterAddress}"]}]
    relabel_configs: [{target_label: instance, replacement: "edge-7:9100"}]
  - job_name: flaky
    metrics_path: /flaky
    static_configs: [{targets: ["${exporterAddress}"]}]
    relabel_configs: [{target_label: instance, replacement: "press-3:9100"}]
  - job_name: spare
    static_configs: [{targets: ["spare-1:9100", "spare-2:9100"]}]
    relabel_configs: [{source_labels: [__address__], regex: "spare-.*", action: drop}]
  - job_name: fleet
    scrape_interval: 20s
    file_sd_configs: [{files: [fleet.json]}]
`,
  );
  const narthex = run(
    binary,
    "--config.file=prometheus.yml",
    "--storage.tsdb.path=data",
    `--web.listen-address=127.0.0.1:${port}`,
    "--web.enable-remote-write-receiver",
    ...flags,
    ...(prefix === "" ? [] : [`--web.external-url=${url}`]),
  );
  try {
    await waitFor("server", async () => (await fetch(`${url}/-/ready`)).ok);
    await writePast(url, began);
    await waitFor("scrape", async () => {
      const answer = await (await fetch(`${url}/api/v1/query?query=${encodeURIComponent('oven_runs_total{job="oven"}')}`)).json();
      return answer.data.result.length === 1;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  // Loads the configuration anew, with `more` at its end.
  const config = readFileSync(path.join(folder, "prometheus.yml"), "utf8");
  const reload = (more = "") => {
    writeFileSync(path.join(folder, "prometheus.yml"), config + more);
    narthex.kill("SIGHUP");
  };
  return { url, root, state, stop, reload, alertmanager };
}
