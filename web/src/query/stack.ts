// Stacked graphs.
import type { Column } from "./result";

// Each series on top of those before it; hidden ones take no room.
export function stack(columns: Column[], hidden: ReadonlySet<number>): Column[] {
  const sums: number[] = [];
  return columns.map((column, s) => {
    if (hidden.has(s)) return column.map(() => null);
    return column.map((value, i) => (sums[i] = (sums[i] ?? 0) + (value ?? 0)));
  });
}
