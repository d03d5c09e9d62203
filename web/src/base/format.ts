// Numbers as people read them, and the units that a metric's name tells.
import { humanDuration } from "./duration";

export type Unit = "none" | "bytes" | "seconds" | "ratio" | "bytes/s" | "seconds/s";

const SI: [number, string][] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];
const IEC = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

// Samples come as text: "NaN", "+Inf" and "-Inf" among the numbers.
export function parseValue(text: string): number {
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  return Number(text);
}

export function formatNumber(value: number, digits = 4): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-4) return value.toExponential(Math.max(0, digits - 2)).replace(/\.?0+e/, "e");
  for (const [factor, letter] of SI) {
    if (size >= factor) return short(value / factor, digits) + letter;
  }
  return short(value, digits);
}

export function formatBytes(bytes: number, digits = 3): string {
  if (!Number.isFinite(bytes)) return formatNumber(bytes);
  let size = bytes;
  let unit = 0;
  while (Math.abs(size) >= 1024 && unit < IEC.length - 1) {
    size /= 1024;
    ++unit;
  }
  return `${short(size, Math.abs(size) >= 1000 ? 4 : digits)} ${IEC[unit]}`;
}

// 12345 -> "12,345": counts where every digit matters.
export function formatCount(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 3 }) : formatNumber(value);
}

export function formatPercent(ratio: number): string {
  return Number.isFinite(ratio) ? short(ratio * 100, 3) + "%" : formatNumber(ratio);
}

export function formatWithUnit(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  switch (unit) {
    case "bytes":
      return formatBytes(value);
    case "bytes/s":
      return formatBytes(value) + "/s";
    case "seconds":
      return humanDuration(value);
    case "ratio":
      return formatPercent(value);
    default:
      return formatNumber(value);
  }
}

// What the values of an expression are counted in, as far as names tell: a unit is the suffix of a metric's name.
// A rate turns bytes into bytes a second; seconds a second are a plain number.
export function unitOf(expr: string): Unit {
  const units = new Set<Unit>();
  const bare = expr.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""');
  if (/[*/%^]/.test(bare) || /\bcount|quantile|_over_time|\btime\b/.test(bare)) return "none";
  for (const [name] of bare.matchAll(/[a-zA-Z_:][a-zA-Z0-9_:]*/g)) {
    if (/_bytes(_total|_sum)?$/.test(name)) units.add("bytes");
    else if (/_timestamp_seconds$/.test(name)) units.add("none");
    else if (/_seconds(_total|_sum)?$/.test(name)) units.add("seconds");
    else if (/_ratio$/.test(name)) units.add("ratio");
  }
  const [unit] = units;
  if (units.size !== 1 || unit === undefined) return "none";
  const rate = /\b(i?rate|deriv)\s*\(/.test(bare);
  if (!rate) return unit;
  return unit === "bytes" ? "bytes/s" : "none";
}

// What the buckets of a histogram's expression are counted in.
export function bucketUnitOf(expr: string): Unit {
  if (/_bytes(_bucket)?\b/.test(expr)) return "bytes";
  return /_seconds(_bucket)?\b/.test(expr) ? "seconds" : "none";
}

function short(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}
