import { describe, expect, it } from "vitest";
import { placeOf } from "../src/base/router";
import { nextRange } from "../src/query/Controls";
import { matchesWords, usualQuery } from "../src/query/Dialogs";
import { decodePanels, encodePanels, newPanel, parseThresholds, querySearch, stepMs } from "../src/query/state";

// All but the number that tells panels apart within a visit.
const plain = (search: string) => decodePanels(search).map(({ id: _id, ...rest }) => rest);

describe("the address of the query page", () => {
  it("opens links of Prometheus 2", () => {
    const [panel] = decodePanels("?g0.expr=up%7Bjob%3D%22a%22%7D&g0.tab=0&g0.stacked=1&g0.range_input=6h&g0.end_input=2026-11-21%2012%3A00&g0.step_input=30");
    expect(panel).toMatchObject({
      expr: 'up{job="a"}',
      tab: "graph",
      display: "stacked",
      rangeMs: 6 * 3_600_000,
      endMs: Date.UTC(2026, 10, 21, 12),
      step: { kind: "fixed", ms: 30_000 },
    });
  });
  it("opens links that alerts carry", () => {
    expect(decodePanels("?g0.expr=up+%3D%3D+0&g0.tab=1")[0]).toMatchObject({ expr: "up == 0", tab: "table" });
  });
  it("opens links of Prometheus 3", () => {
    const [panel] = decodePanels(
      "?g0.expr=up&g0.show_tree=0&g0.tab=graph&g0.end_input=2026-11-21%2012%3A00%3A00&g0.range_input=2h&g0.res_type=auto&g0.res_density=high&g0.display_mode=lines&g0.show_exemplars=0",
    );
    expect(panel).toMatchObject({ tab: "graph", rangeMs: 7_200_000, step: { kind: "auto", density: "high" }, display: "lines" });
  });
  it("keeps panels in order and apart", () => {
    expect(decodePanels("?g1.expr=b&g0.expr=a&g10.expr=c").map((panel) => panel.expr)).toEqual(["a", "b", "c"]);
  });
  it("leaves defaults where the address is broken", () => {
    const [panel] = decodePanels("?g0.expr=up&g0.tab=9&g0.range_input=x&g0.end_input=never&g0.step_input=0&g0.display_mode=pie");
    expect(panel).toMatchObject({ tab: "table", rangeMs: 3_600_000, endMs: null, display: "lines" });
    expect(panel!.step).toEqual({ kind: "auto", density: "medium" });
    expect(decodePanels("?a=b&g0=1&gx.expr=up&g0.nothing=1")).toEqual([]);
  });
  it("comes back as it was", () => {
    const panels = [
      newPanel({ expr: 'rate(a{b="&=+ #"}[5m])', tab: "graph", endMs: Date.UTC(2026, 10, 21, 1, 2, 3), log: true, thresholds: [1, 2.5], exemplars: true }),
      newPanel({ expr: "up", step: { kind: "fixed", ms: 15_000 }, display: "points", rangeMs: 90_000 }),
      newPanel({ expr: "", tab: "explain", endMs: Date.UTC(2026, 0, 1) }),
    ];
    expect(plain(encodePanels(panels))).toEqual(panels.map(({ id: _id, ...rest }) => rest));
  });
  it("is what other pages link to", () => {
    expect(decodePanels(querySearch("a > 1"))[0]).toMatchObject({ expr: "a > 1", tab: "graph" });
  });
});

describe("graphs", () => {
  it("have as many points as their density says, and no step under a second", () => {
    expect(stepMs(newPanel())).toBe(14_000);
    expect(stepMs(newPanel({ rangeMs: 60_000 }))).toBe(1000);
    expect(stepMs(newPanel({ step: { kind: "auto", density: "high" } }))).toBe(3000);
    expect(stepMs(newPanel({ step: { kind: "fixed", ms: 7000 } }))).toBe(7000);
  });
  it("change range along a list", () => {
    expect(nextRange(3_600_000, true)).toBe(7_200_000);
    expect(nextRange(3_600_000, false)).toBe(1_800_000);
    expect(nextRange(60_000, false)).toBe(60_000);
    expect(nextRange(4_000_000, false)).toBe(3_600_000);
  });
  it("read thresholds", () => {
    expect(parseThresholds("80, 90.5;-1 1e3")).toEqual([80, 90.5, -1, 1000]);
    expect(parseThresholds(" ")).toEqual([]);
  });
});

describe("places", () => {
  it("are named by the last segment, whatever stands before it", () => {
    expect(placeOf("/alerts", "")).toEqual({ page: "alerts", search: "" });
    expect(placeOf("/a/b/prom/targets", "?x=1")).toEqual({ page: "targets", search: "?x=1" });
    expect(placeOf("/", "").page).toBe("query");
    expect(placeOf("/prom/graph", "?g0.expr=up").page).toBe("query");
  });
});

describe("search", () => {
  it("wants all words, in any order and case", () => {
    expect(matchesWords("node_CPU_seconds_total", "total cpu")).toBe(true);
    expect(matchesWords("node_cpu", "cpu gpu")).toBe(false);
    expect(matchesWords("x", "")).toBe(true);
  });
  it("proposes what fits the type", () => {
    expect(usualQuery("a_total", "counter")).toBe("rate(a_total[5m])");
    expect(usualQuery("a_bucket", "histogram")).toContain("histogram_quantile");
    expect(usualQuery("a", "gauge")).toBe("a");
  });
});
