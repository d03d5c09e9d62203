import { describe, expect, it } from "vitest";
import { formatDuration, humanDuration, parseDuration } from "../src/base/duration";
import { bucketUnitOf, formatBytes, formatCount, formatNumber, formatPercent, formatWithUnit, parseValue, unitOf } from "../src/base/format";
import { parseMetrics, sum } from "../src/base/metrics_text";
import { ago, formatTick, formatTime, parseTime } from "../src/base/time";

describe("durations", () => {
  it("reads what Prometheus reads", () => {
    expect(parseDuration("1h30m")).toBe(5_400_000);
    expect(parseDuration("250ms")).toBe(250);
    expect(parseDuration("1y2w3d")).toBe((365 + 14 + 3) * 86_400_000);
    expect(parseDuration("15")).toBe(15_000);
    expect(parseDuration("0.5")).toBe(500);
  });
  it("refuses the rest", () => {
    for (const text of ["", "h", "1x", "30m1h", "-5m", "1 h", "1.5h"]) expect(parseDuration(text), text).toBeNull();
  });
  it("writes what Prometheus writes", () => {
    expect(formatDuration(0)).toBe("0s");
    expect(formatDuration(5_400_000)).toBe("1h30m");
    expect(formatDuration(7 * 86_400_000)).toBe("1w");
    expect(formatDuration(8 * 86_400_000)).toBe("8d");
    expect(formatDuration(1001)).toBe("1s1ms");
    expect(formatDuration(-60_000)).toBe("-1m");
  });
  it("reads back what it writes", () => {
    for (const ms of [1, 999, 1000, 61_000, 3_600_000, 90_061_007, 31_536_000_000]) {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }
  });
  it("is short for people", () => {
    expect(humanDuration(0)).toBe("0s");
    expect(humanDuration(0.0000042)).toBe("4.2µs");
    expect(humanDuration(0.0123)).toBe("12.3ms");
    expect(humanDuration(3.14159)).toBe("3.14s");
    expect(humanDuration(59.97)).toBe("1m");
    expect(humanDuration(3900)).toBe("1h 5m");
    expect(humanDuration(90_000)).toBe("1d 1h");
    expect(humanDuration(86_400)).toBe("1d");
    expect(humanDuration(-2)).toBe("-2s");
    expect(humanDuration(NaN)).toBe("NaN");
  });
});

describe("numbers", () => {
  it("reads samples", () => {
    expect(parseValue("+Inf")).toBe(Infinity);
    expect(parseValue("-Inf")).toBe(-Infinity);
    expect(parseValue("NaN")).toBeNaN();
    expect(parseValue("1e-3")).toBe(0.001);
  });
  it("shortens", () => {
    expect(formatNumber(0)).toBe("0");
    expect(formatNumber(1234)).toBe("1.234k");
    expect(formatNumber(-2_500_000)).toBe("-2.5M");
    expect(formatNumber(0.1 + 0.2)).toBe("0.3");
    expect(formatNumber(1e18)).toBe("1e+18");
    expect(formatNumber(0.00001234)).toBe("1.23e-5");
    expect(formatNumber(Infinity)).toBe("+Inf");
    expect(formatNumber(NaN)).toBe("NaN");
  });
  it("counts bytes by 1024", () => {
    expect(formatBytes(0)).toBe("0 B");
    expect(formatBytes(1023)).toBe("1023 B");
    expect(formatBytes(1536)).toBe("1.5 KiB");
    expect(formatBytes(5 * 2 ** 40)).toBe("5 TiB");
  });
  it("keeps every digit of counts", () => {
    expect(formatCount(1234567)).toBe("1,234,567");
  });
  it("knows percent", () => {
    expect(formatPercent(0.1234)).toBe("12.3%");
  });
});

describe("units", () => {
  it("come from the metric's name", () => {
    expect(unitOf("process_resident_memory_bytes")).toBe("bytes");
    expect(unitOf('sum by (job) (node_memory_Free_bytes{a="x_seconds"})')).toBe("bytes");
    expect(unitOf("rate(node_network_receive_bytes_total[5m])")).toBe("bytes/s");
    expect(unitOf("http_latency_seconds_sum")).toBe("seconds");
    expect(unitOf("cache_hit_ratio")).toBe("ratio");
  });
  it("are none where arithmetic hides them", () => {
    expect(unitOf("a_bytes / b_bytes")).toBe("none");
    expect(unitOf("rate(node_cpu_seconds_total[5m])")).toBe("none");
    expect(unitOf("up")).toBe("none");
    expect(unitOf("count(a_bytes)")).toBe("none");
    expect(unitOf("process_start_timestamp_seconds")).toBe("none");
  });
  it("of buckets come from the histogram's name", () => {
    expect(bucketUnitOf("sum by (le) (rate(wait_seconds_bucket[5m]))")).toBe("seconds");
    expect(bucketUnitOf("rate(size_bytes[5m])")).toBe("bytes");
    expect(bucketUnitOf("rate(x_bucket[5m])")).toBe("none");
  });
  it("are written", () => {
    expect(formatWithUnit(2048, "bytes/s")).toBe("2 KiB/s");
    expect(formatWithUnit(0.25, "seconds")).toBe("250ms");
    expect(formatWithUnit(0.5, "ratio")).toBe("50%");
    expect(formatWithUnit(1500, "none")).toBe("1.5k");
  });
});

describe("times", () => {
  const noon = Date.UTC(2026, 10, 21, 12, 0, 7, 125);
  it("writes UTC", () => {
    expect(formatTime(noon, true)).toBe("2026-11-21 12:00:07");
    expect(formatTime(noon, true, true)).toBe("2026-11-21 12:00:07.125");
  });
  it("reads back what it writes, in both zones", () => {
    const second = Math.floor(noon / 1000) * 1000;
    for (const utc of [true, false]) {
      expect(parseTime(formatTime(second, utc), utc)).toBe(second);
      expect(parseTime(formatTime(second, utc).replace(" ", "T"), utc)).toBe(second);
      expect(parseTime(formatTime(noon, utc, true), utc)).toBe(noon);
    }
  });
  it("reads what old links say", () => {
    expect(parseTime("2026-11-21 12:00", true)).toBe(Date.UTC(2026, 10, 21, 12));
    expect(parseTime("2026-11-21", true)).toBe(Date.UTC(2026, 10, 21));
    expect(parseTime("1795262407", true)).toBe(1_795_262_407_000);
    expect(parseTime("yesterday", true)).toBeNull();
    expect(parseTime("", true)).toBeNull();
  });
  it("marks the days of an axis", () => {
    expect(formatTick(Date.UTC(2026, 10, 21), true, 3_600_000, false)).toBe("00:00\n11-21");
    expect(formatTick(Date.UTC(2026, 10, 21, 6, 30), true, 1_800_000, false)).toBe("06:30");
    expect(formatTick(Date.UTC(2026, 10, 21, 6, 30, 5), true, 5000, false)).toBe("06:30:05");
    expect(formatTick(Date.UTC(2026, 10, 21), true, 86_400_000, false)).toBe("11-21");
  });
  it("tells how long ago", () => {
    expect(ago("2026-11-21T12:00:00Z", noon)).toBe("7.1s ago");
    expect(ago("2026-11-21T11:00:00Z", noon)).toBe("1h ago");
    expect(ago("0001-01-01T00:00:00Z", noon)).toBe("never");
  });
});

describe("own metrics", () => {
  it("are read by name, and summed over labels", () => {
    const metrics = parseMetrics('# HELP a b\na 1\nb{x="y z"} 2\nb{x="q"} 3\nbc 9\n');
    expect(sum(metrics, "a")).toBe(1);
    expect(sum(metrics, "b")).toBe(5);
    expect(sum(metrics, "none")).toBeUndefined();
  });
});
