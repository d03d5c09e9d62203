import { expect, test } from "vitest";
import { parseMetrics, samplesOf } from "../src/base/metrics_text";
import { lifeText, queuesOf } from "../src/pages/StatusParts";

const queue = 'remote_name="cloud",url="http://a/b"';
const METRICS = `# TYPE prometheus_remote_storage_shards gauge
prometheus_remote_storage_shards{${queue}} 2
prometheus_remote_storage_samples_total{${queue}} 1000
prometheus_remote_storage_histograms_total{${queue}} 10
prometheus_remote_storage_samples_total{remote_name="other",url="http://a/b"} 5
prometheus_remote_storage_samples_pending{${queue}} 7
prometheus_remote_storage_samples_failed_total{${queue}} 3
prometheus_remote_storage_samples_retried_total{${queue}} 4
prometheus_remote_storage_queue_highest_sent_timestamp_seconds{${queue}} 1000
`;

test("labels of samples, with what is escaped in them", () => {
  const metrics = parseMetrics('a{b="x\\"y\\\\z\\n,",c="d"} 4\nab{b="no"} 1\na 2\n');
  expect(samplesOf(metrics, "a")).toEqual([
    { labels: { b: 'x"y\\z\n,', c: "d" }, value: 4 },
    { labels: {}, value: 2 },
  ]);
});

test("remote queues are read from the metrics", () => {
  expect(queuesOf(parseMetrics(METRICS), 1030)).toEqual([
    { name: "cloud", url: "http://a/b", sent: 1010, pending: 7, failed: 3, retried: 4, shards: 2, behindS: 30 },
  ]);
  expect(queuesOf(parseMetrics(METRICS.replace(/ 1000\n$/, " 0\n")), 1030)[0]!.behindS).toBeUndefined();
  expect(queuesOf(new Map(), 0)).toEqual([]);
});

test("the life of a disk", () => {
  expect(lifeText(1)).toBe("1 day");
  expect(lifeText(640)).toBe("640 days");
  expect(lifeText(2586)).toBe("about 7 years");
});
