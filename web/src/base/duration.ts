// Durations as Prometheus writes them (1h30m), in milliseconds.

const UNITS: [string, number][] = [
  ["y", 365 * 86_400_000],
  ["w", 7 * 86_400_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

const PATTERN = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

// null if the text is no duration. A plain number is seconds, as in the API.
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const match = PATTERN.exec(trimmed);
  if (match === null) return null;
  return UNITS.reduce((sum, [, size], i) => sum + Number(match[i + 1] ?? 0) * size, 0);
}

// Years and weeks only where they divide the whole, as Prometheus does it.
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = Math.round(Math.abs(ms));
  let out = ms < 0 ? "-" : "";
  for (const [unit, size] of UNITS) {
    if ((unit === "y" || unit === "w") && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count > 0) out += count + unit;
    rest -= count * size;
  }
  return out;
}

// For people: two units at most, "3.2s", "12ms", "1h 5m", "3d 4h".
export function humanDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return String(seconds);
  if (seconds < 0) return "-" + humanDuration(-seconds);
  if (seconds === 0) return "0s";
  if (seconds < 0.001) return trim(seconds * 1e6) + "µs";
  if (seconds < 0.9995) return trim(seconds * 1000) + "ms";
  if (seconds < 59.95) return trim(seconds) + "s";
  const total = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(total / 86_400), "d"],
    [Math.floor((total % 86_400) / 3600), "h"],
    [Math.floor((total % 3600) / 60), "m"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => count + unit)
    .join(" ");
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}
