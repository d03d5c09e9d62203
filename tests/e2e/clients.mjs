// Real clients from npm against a running Narthex: prometheus-query, and the client and the completion of
// @prometheus-io/codemirror-promql. Usage: clients.mjs NARTHEX_BINARY. Exit code 77: skipped, and by what lack.
// The packages are those of web/package.json.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("../../web/", import.meta.url));
const require = createRequire(web);
const load = (name) => {
  try {
    return require(name);
  } catch {
    console.log(`clients: skipped: ${name} is not installed (cd web && npm install)`);
    process.exit(77);
  }
};
const { PrometheusDriver } = load("prometheus-query");
const { PromQLExtension } = load("@prometheus-io/codemirror-promql");
const { HTTPPrometheusClient } = load("@prometheus-io/codemirror-promql/dist/cjs/client/prometheus");
const { CompletionContext } = load("@codemirror/autocomplete");
const { EditorState } = load("@codemirror/state");
const { startWorld, waitFor } = await import(path.join(web, "e2e/world.mjs"));

const OVEN = 'oven_temperature_celsius{job="oven"}';
let world;
let driver;

before(async () => {
  world = await startWorld(path.resolve(process.argv[2]), { many: 3, flags: ["--web.enable-admin-api"] });
  driver = new PrometheusDriver({ endpoint: world.url, preferPost: false });
  await waitFor("alert", async () => (await driver.rules()).length === 2 && (await driver.alerts()).length === 0);
});
after(() => world?.stop());

for (const preferPost of [false, true]) {
  test(`prometheus-query asks and understands the answers (${preferPost ? "POST" : "GET"})`, async () => {
    const client = new PrometheusDriver({ endpoint: world.url, preferPost });
    const now = await client.instantQuery(OVEN);
    assert.equal(now.resultType, "vector");
    assert.equal(now.result.length, 1);
    assert.equal(now.result[0].metric.name, "oven_temperature_celsius");
    assert.equal(now.result[0].metric.labels.hall, "A");
    assert.equal(now.result[0].value.value, 20);
    assert.ok(Math.abs(now.result[0].value.time.getTime() - Date.now()) < 60_000);
    assert.equal((await client.instantQuery("1 + 1")).resultType, "scalar");

    const end = Date.now();
    const range = await client.rangeQuery('pump_temperature_celsius{job="plant"}', end - 3_600_000, end, 60, "10s");
    assert.equal(range.resultType, "matrix");
    assert.equal(range.result.length, 5);
    for (const one of range.result) assert.ok(one.values.length > 50 && one.values.every(({ value }) => Number.isFinite(value)));

    await assert.rejects(client.instantQuery("sum(("), (error) => /parse error: unclosed left parenthesis/.test(error.prometheus.error));
    const halls = await client.labelValues("hall", [], end - 3_600_000, end);
    assert.deepEqual(halls, ["A", "B"]);
    assert.ok((await client.labelNames([OVEN], end - 60_000, end)).includes("hall"));
    const [series] = await client.series([OVEN], end - 60_000, end);
    assert.equal(series.name, "oven_temperature_celsius");
  });
}

test("prometheus-query knows targets, rules and the status", async () => {
  const { activeTargets } = await driver.targets("active");
  assert.ok(activeTargets.some((one) => one.scrapePool === "oven" && one.health === "up" && one.lastScrape instanceof Date));
  assert.equal((await driver.targetsMetadata('{job="oven"}', "oven_runs_total"))[0].type, "counter");
  assert.equal((await driver.metadata("oven_runs_total")).oven_runs_total[0].help, "Times the oven was lit.");
  const groups = await driver.rules();
  assert.deepEqual(groups.map((one) => one.name), ["oven", "plant"]);
  assert.equal(groups[0].rules.length, 3);
  world.state.heat = 300;
  const alert = await waitFor("alert", async () => (await driver.alerts()).find((one) => one.labels.alertname === "OvenHot"));
  world.state.heat = 20;
  assert.equal(alert.state, "firing");
  assert.ok(alert.activeAt instanceof Date);
  assert.ok(Array.isArray((await driver.alertmanagers()).activeAlertmanagers));
  assert.match((await driver.status()).yaml, /scrape_configs/);
  assert.equal((await driver.statusFlags())["web.enable-admin-api"], "true");
  assert.equal((await driver.statusRuntimeInfo()).reloadConfigSuccess, true);
  assert.match((await driver.statusBuildinfo()).version, /^3\./);
  assert.ok((await driver.statusTSDB()).headStats.numSeries > 0);
});

// Its deletions cannot be asked for: the client does not understand the empty answer, which is Prometheus's too.
test("prometheus-query takes a snapshot", async () => {
  assert.match((await driver.adminSnapshot(false)).name, /^\d{8}T\d{6}Z-[0-9a-f]+$/);
});

for (const httpMethod of ["GET", "POST"]) {
  test(`the client of codemirror-promql asks and understands the answers (${httpMethod})`, async () => {
    const errors = [];
    const client = new HTTPPrometheusClient({ url: world.url, httpMethod, httpErrorHandler: (error) => errors.push(error) });
    assert.ok((await client.metricNames()).includes("oven_temperature_celsius"));
    assert.ok((await client.labelNames()).includes("hall"));
    assert.ok((await client.labelNames("oven_temperature_celsius")).includes("hall"));
    assert.deepEqual(await client.labelValues("hall", "oven_temperature_celsius"), ["A"]);
    assert.equal((await client.metricMetadata()).oven_temperature_celsius[0].type, "gauge");
    assert.ok((await client.series("oven_temperature_celsius")).length > 0);
    assert.equal((await client.flags())["web.enable-admin-api"], "true");
    assert.deepEqual(errors, []);
  });
}

test("the completion of codemirror-promql offers what the server has", async () => {
  const extension = new PromQLExtension().setComplete({ remote: { url: world.url } });
  const completions = async (doc) => {
    const state = EditorState.create({ doc, extensions: extension.asExtension() });
    const [source] = state.languageDataAt("autocomplete", doc.length);
    const found = await source(new CompletionContext(state, doc.length, true));
    return found.options.map((one) => one.label);
  };
  assert.ok((await completions("oven_temp")).includes("oven_temperature_celsius"));
  assert.ok((await completions("oven_temperature_celsius{ha")).includes("hall"));
  assert.ok((await completions('oven_temperature_celsius{hall="')).includes("A"));
});
