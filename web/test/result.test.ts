import { describe, expect, it } from "vitest";
import { cellsOf, edgesOf, hasHeat } from "../src/query/heat";
import { parsePlan } from "../src/query/Explain";
import { metadataOf } from "../src/query/metadata";
import { grid, onGrid, type Series, seriesName, shortNames } from "../src/query/result";
import { stack } from "../src/query/stack";

describe("series", () => {
  it("are named as PromQL names them", () => {
    expect(seriesName({ __name__: "up", job: 'a"b' })).toBe('up{job="a\\"b"}');
    expect(seriesName({ __name__: "up" })).toBe("up");
    expect(seriesName({})).toBe("{}");
    expect(seriesName({ __name__: "my.metric", "a.b": "c" })).toBe('{"my.metric", "a.b"="c"}');
  });
  it("are told apart by what differs", () => {
    const series = (metrics: Series["metric"][]) => metrics.map((metric) => ({ metric }));
    expect(shortNames(series([{ a: "1", b: "x" }, { a: "1", b: "y" }]))).toEqual(["x", "y"]);
    expect(shortNames(series([{ a: "1", b: "x" }, { a: "2", b: "y" }]))).toEqual(["a=1 b=x", "a=2 b=y"]);
    expect(shortNames(series([{ __name__: "m", a: "1" }]))).toEqual(['m{a="1"}']);
    expect(shortNames(series([{ __name__: "m", a: "1" }, { __name__: "n" }]))).toEqual(["m a=1", "n"]);
  });
});

describe("grids", () => {
  it("hold both ends", () => {
    expect(grid(10, 20, 5)).toEqual([10, 15, 20]);
    expect(grid(0, 1, 0.1)).toHaveLength(11);
  });
  it("leave gaps where there is nothing to draw", () => {
    expect(onGrid([[10, "1"], [20, "NaN"], [25, "+Inf"], [30, "-2.5"]], 10, 5, 5)).toEqual([1, null, null, null, -2.5]);
  });
  it("take times that are a little off", () => {
    expect(onGrid([[10.0004, "1"], [14.9996, "2"]], 10, 5, 2)).toEqual([1, 2]);
  });
});

describe("heat maps", () => {
  const classic: Series[] = [
    { metric: { le: "+Inf", a: "x" }, values: [[0, "10"]] },
    { metric: { le: "1", a: "x" }, values: [[0, "3"]] },
    { metric: { le: "5", a: "x" }, values: [[0, "7"]] },
  ];
  it("take classic buckets apart", () => {
    expect(cellsOf(classic)).toEqual([
      { t: 0, low: 0, high: 1, count: 3 },
      { t: 0, low: 1, high: 5, count: 4 },
      { t: 0, low: 5, high: Infinity, count: 3 },
    ]);
  });
  it("add equal buckets of several series", () => {
    const native = (count: string): Series => ({ metric: {}, histograms: [[1, { count, sum: "0", buckets: [[0, "1", "2", count]] }]] });
    expect(cellsOf([native("2"), native("5")])).toEqual([{ t: 1, low: 1, high: 2, count: 7 }]);
    expect(hasHeat([native("1")])).toBe(true);
  });
  it("are for histograms only", () => {
    expect(hasHeat(classic)).toBe(true);
    expect(hasHeat([{ metric: {}, values: [] }, { metric: { le: "1" }, values: [] }])).toBe(false);
    expect(hasHeat([])).toBe(false);
  });
  it("have rows between the bounds that occur", () => {
    expect(edgesOf(cellsOf(classic))).toEqual([0, 1, 5, Infinity]);
  });
});

describe("plans", () => {
  it("are read line by line", () => {
    expect(parsePlan("Aggregate sum by (a)\n  Call rate\n    Range x[5m]\n\n")).toEqual([
      { depth: 0, name: "Aggregate", rest: "sum by (a)" },
      { depth: 1, name: "Call", rest: "rate" },
      { depth: 2, name: "Range", rest: "x[5m]" },
    ]);
  });
});

describe("plans after a run", () => {
  it("tell what each operator did", () => {
    const [line] = parsePlan("  RangeFunction rate  [series=5 samples=1205 batch_bytes=10845 time=1.250ms]");
    expect(line).toEqual({ depth: 1, name: "RangeFunction", rest: "rate", did: { series: 5, samples: 1205, bytes: 10845, seconds: 0.00125 } });
  });
});

describe("metadata", () => {
  const meta = { type: "histogram", unit: "seconds", help: "h" };
  it("of a histogram is known by its series", () => {
    expect(metadataOf({ wait_seconds: [meta] }, "wait_seconds_bucket")).toBe(meta);
    expect(metadataOf({ a_total: [meta] }, "a_total")).toBe(meta);
    expect(metadataOf({}, "b")).toBeUndefined();
  });
});

describe("stacks", () => {
  it("add up, and gaps add nothing", () => {
    expect(stack([[1, null], [2, 3], [4, 5]], new Set())).toEqual([[1, 0], [3, 3], [7, 8]]);
  });
  it("leave no room for what is hidden", () => {
    expect(stack([[1], [2], [4]], new Set([1]))).toEqual([[1], [null], [5]]);
  });
});
