import { expect, test } from "vitest";
import { exemplarsOf, heatRow, thin } from "../src/query/exemplars";

const at = (t: number, value: number) => ({ t, value, labels: {}, series: "a" });

test("exemplars come sorted by time, with their series, numbers only", () => {
  const answer = [
    { seriesLabels: { __name__: "a", le: "1" }, exemplars: [{ labels: { trace_id: "x" }, value: "0.5", timestamp: 20.5 }, { labels: { trace_id: "y" }, value: "NaN", timestamp: 21 }] },
    { seriesLabels: { __name__: "a", le: "+Inf" }, exemplars: [{ labels: {}, value: "7", timestamp: 3 }] },
  ];
  expect(exemplarsOf(answer)).toEqual([
    { t: 3, value: 7, labels: {}, series: 'a{le="+Inf"}' },
    { t: 20.5, value: 0.5, labels: { trace_id: "x" }, series: 'a{le="1"}' },
  ]);
});

test("of each step the smallest and the largest stay", () => {
  expect(thin([at(1, 5), at(2, 1), at(3, 9), at(4, 4), at(62, 3)], 60).map((one) => one.value)).toEqual([1, 9, 3]);
});

test("in a heat map a value stands in the middle of its row", () => {
  const edges = [0, 0.1, 1, Infinity];
  expect(heatRow(0.05, edges)).toBe(0.5);
  expect(heatRow(0.1, edges)).toBe(0.5);
  expect(heatRow(0.2, edges)).toBe(1.5);
  expect(heatRow(40, edges)).toBe(2.5);
  expect(heatRow(-1, edges)).toBe(0.5);
  expect(heatRow(5, [0, 1])).toBe(0.5);
});
