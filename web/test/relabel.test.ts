import { expect, test } from "vitest";
import { changesOf, ruleText } from "../src/pages/relabel";

test("labels that a step adds, changes and takes away", () => {
  expect(changesOf({ a: "1", b: "2", c: "3" }, { b: "2", c: "4", d: "5" })).toEqual([
    { name: "a", before: "1", after: undefined },
    { name: "c", before: "3", after: "4" },
    { name: "d", before: undefined, after: "5" },
  ]);
});

test("an empty value is no label", () => {
  expect(changesOf({ a: "" }, {})).toEqual([]);
  expect(changesOf({ a: "x" }, { a: "" })).toEqual([{ name: "a", before: "x", after: undefined }]);
});

test("rules in a line", () => {
  const full = { separator: ";", regex: "(.*)", replacement: "$1", action: "replace" };
  expect(ruleText({ ...full, targetLabel: "instance", replacement: "edge-7" })).toBe('replace → instance = "edge-7"');
  expect(ruleText({ ...full, sourceLabels: ["a", "b"], regex: "x.*", targetLabel: "c" })).toBe('replace a, b =~ "x.*" → c = "$1"');
  expect(ruleText({ ...full, sourceLabels: ["a", "b"], separator: "/", action: "keep", regex: "x" })).toBe('keep a "/" b =~ "x"');
  expect(ruleText({ ...full, sourceLabels: ["a"], action: "hashmod", modulus: 8, targetLabel: "shard" })).toBe("hashmod a mod 8 → shard");
  expect(ruleText({ ...full, regex: "__meta_(.+)", action: "labelmap" })).toBe('labelmap =~ "__meta_(.+)" → "$1"');
});
