// One visit of the page. Whatever it writes to the console as an error, or asks of another host, fails the test.
import assert from "node:assert/strict";
import path from "node:path";

// A refused query is an answer, not a fault; the browser logs it all the same.
const REFUSED = /Failed to load resource: the server responded with a status of 4(00|22)/;

export async function visit(t, where, options, body) {
  const world = options.world ?? t.world;
  const context = await t.browser.newContext({
    viewport: options.phone ? { width: 390, height: 844 } : { width: 1360, height: 860 },
    deviceScaleFactor: options.phone ? 2 : 1,
    isMobile: options.phone === true,
    hasTouch: options.phone === true,
    colorScheme: options.dark ? "dark" : "light",
    timezoneId: "Europe/Berlin",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const faults = [];
  const requests = [];
  page.on("console", (message) => {
    if (message.type() !== "error" || REFUSED.test(message.text()) || options.expected?.test(message.text())) return;
    faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  try {
    await page.goto(world.url + where);
    await page.waitForSelector("main");
    await body(page, requests);
    assert.deepEqual(faults, [], "the console stays clean");
    const foreign = requests.filter((url) => !url.startsWith(world.root) && !url.startsWith("data:"));
    assert.deepEqual(foreign, [], "no request leaves the box");
  } catch (error) {
    await page.screenshot({ path: path.join(t.shots, "failure.png") }).catch(() => {});
    throw error;
  } finally {
    await context.close();
  }
}

// The page draws what a click changed a moment later: asks again until the check holds, and fails as it last failed.
export async function eventually(check) {
  const end = Date.now() + 15_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Waits until what was asked for stands there: no grey bars, no empty graph.
export async function settled(page) {
  await page.waitForFunction(() => document.querySelector("main h1") !== null && document.querySelector(".skeleton, .graph-space") === null);
  await page.waitForFunction(() => [...document.querySelectorAll(".canvas")].every((one) => one.plot !== undefined || one.querySelector(".empty") !== null));
}

// Waits until nothing moves any more, then takes the picture.
export async function shoot(t, page, name) {
  await page.waitForTimeout(350);
  await page.screenshot({ path: path.join(t.shots, `${name}.png`), caret: "initial" });
}

export async function ask(t, what, params) {
  const response = await fetch(`${t.world.url}/api/v1/${what}?${new URLSearchParams(params)}`);
  return (await response.json()).data;
}

// What the plot draws, read back from it.
export async function plotted(page, index = 0) {
  await page.waitForFunction((i) => document.querySelectorAll(".canvas")[i]?.plot !== undefined, index);
  return page.evaluate((i) => document.querySelectorAll(".canvas")[i].plot.values(), index);
}

export const graphOf = (expr, more = {}) =>
  "/query?" + new URLSearchParams({ "g0.expr": expr, "g0.tab": "graph", "g0.range_input": "3h", ...more });
