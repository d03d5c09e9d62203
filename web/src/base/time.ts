// Points in time: as text in the reader's zone or in UTC, and back.
import { humanDuration } from "./duration";

const two = (n: number) => String(n).padStart(2, "0");

interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
}

function partsOf(ms: number, utc: boolean): Parts {
  const d = new Date(ms);
  if (utc) {
    return {
      year: d.getUTCFullYear(),
      month: d.getUTCMonth() + 1,
      day: d.getUTCDate(),
      hour: d.getUTCHours(),
      minute: d.getUTCMinutes(),
      second: d.getUTCSeconds(),
      ms: d.getUTCMilliseconds(),
    };
  }
  return {
    year: d.getFullYear(),
    month: d.getMonth() + 1,
    day: d.getDate(),
    hour: d.getHours(),
    minute: d.getMinutes(),
    second: d.getSeconds(),
    ms: d.getMilliseconds(),
  };
}

// "2026-11-21 08:23:07", with ".125" if asked for.
export function formatTime(ms: number, utc: boolean, millis = false): string {
  const p = partsOf(ms, utc);
  const date = `${p.year}-${two(p.month)}-${two(p.day)}`;
  const time = `${two(p.hour)}:${two(p.minute)}:${two(p.second)}`;
  return `${date} ${time}${millis ? "." + String(p.ms).padStart(3, "0") : ""}`;
}

// Reads "2026-11-21 08:23", with seconds or a T if there are any; or seconds since the epoch. null if it is neither.
export function parseTime(text: string, utc: boolean): number | null {
  const trimmed = text.trim();
  if (/^\d{9,}(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?Z?$/.exec(trimmed);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number, number, number, number, number, number,
  ];
  const millis = Number((match[7] ?? "0").padEnd(3, "0"));
  const ms =
    utc || trimmed.endsWith("Z")
      ? Date.UTC(year, month - 1, day, hour, minute, second, millis)
      : new Date(year, month - 1, day, hour, minute, second, millis).getTime();
  return Number.isNaN(ms) ? null : ms;
}

// Labels of a time axis: the date where the day changes, seconds only where the grid is that fine.
export function formatTick(ms: number, utc: boolean, stepMs: number, first: boolean): string {
  const p = partsOf(ms, utc);
  const date = `${two(p.month)}-${two(p.day)}`;
  if (stepMs >= 86_400_000) return date;
  const midnight = p.hour === 0 && p.minute === 0 && p.second === 0;
  const time = `${two(p.hour)}:${two(p.minute)}${stepMs < 60_000 ? ":" + two(p.second) : ""}`;
  return midnight || (first && stepMs >= 6 * 3_600_000) ? `${time}\n${date}` : time;
}

// "4.2s ago"; "never" for the zero time of Go.
export function ago(iso: string, now: number): string {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms) || iso.startsWith("0001-")) return "never";
  const seconds = (now - ms) / 1000;
  if (seconds < 0) return "just now";
  return humanDuration(seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)) + " ago";
}
