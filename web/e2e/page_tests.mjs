// Every other page, in every look.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, graphOf, plotted, settled, shoot, visit } from "./visit.mjs";
import { MANY, startWorld, waitFor } from "./world.mjs";

const PAGES = ["alerts", "rules", "targets", "service-discovery", "status", "tsdb-status", "config", "flags", "alertmanager-discovery"];
const RATE = 'sum by (path) (rate(http_requests_total{job="plant"}[5m]))';

export function register(t) {
  test("each page has its heading, and what it is about", async () => {
    const texts = {
      alerts: "OvenHot",
      rules: "path:http_requests:rate5m",
      targets: "press-3:9100",
      "service-discovery": "__metrics_path__",
      status: "Storage retention",
      "tsdb-status": "Series by metric",
      config: "scrape_configs",
      flags: "--storage.tsdb.path",
      "alertmanager-discovery": "Status",
    };
    for (const name of PAGES) {
      await visit(t, "/" + name, {}, async (page) => {
        await page.waitForSelector("h1");
        await page.getByText(texts[name]).first().waitFor();
        await page.waitForFunction(() => document.querySelector(".skeleton") === null);
        await shoot(t, page, name);
      });
    }
  });

  test("an alert turns firing on the page", async () => {
    await visit(t, "/alerts", {}, async (page) => {
      const rule = page.locator(".rule", { hasText: "OvenHot" });
      await rule.locator(".state", { hasText: "inactive" }).waitFor();
      t.world.state.heat = 250;
      await rule.locator(".rule-head .state", { hasText: "firing" }).waitFor();
      const line = rule.locator(".alert-row", { hasText: 'job="oven"' });
      await eventually(async () => assert.match(await line.innerText(), /250/));
      await eventually(async () => assert.match(await line.innerText(), /is at 250 °C/));
      assert.equal(await line.getByRole("link").getAttribute("href"), "https://runbooks.example/oven-hot");
      await page.locator(".bar .badge").waitFor();
      await shoot(t, page, "alerts-firing");
      await page.getByRole("button", { name: /^Inactive/ }).click();
      await page.waitForFunction(() => location.search === "?state=inactive");
      await eventually(async () => assert.equal(await page.locator(".rule", { hasText: "OvenHot" }).count(), 0));
      await page.getByRole("button", { name: /^All/ }).click();
      // The expression leads to its graph.
      await rule.locator(".expr").click();
      await page.waitForFunction(() => location.pathname.endsWith("/query"));
      await plotted(page);
    });
    t.world.state.heat = 20;
  });

  test("a target goes down on the page, and up again", async () => {
    await visit(t, "/targets?pool=flaky", {}, async (page) => {
      await page.locator(".target .state", { hasText: "up" }).waitFor();
      t.world.state.up = false;
      await page.locator(".target .state", { hasText: "down" }).waitFor();
      assert.match(await page.locator(".target .row-error").innerText(), /server returned HTTP status 503 Service Unavailable/);
      await page.getByRole("button", { name: /^Labels of/ }).click();
      await page.waitForSelector(".label-table >> text=__metrics_path__");
      await shoot(t, page, "target-down");
      t.world.state.up = true;
      await page.locator(".target .state", { hasText: "up" }).waitFor();
    });
  });

  test("the steps of relabelling are shown for targets, kept and dropped", async () => {
    await visit(t, "/targets?pool=plant", {}, async (page) => {
      await page.getByRole("button", { name: /^Labels of/ }).click();
      const step = page.locator(".steps > li");
      await eventually(async () => assert.match(await step.innerText(), /replace → instance = "edge-7:9100"[\s\S]*instance[\s\S]*"edge-7:9100"/));
      await shoot(t, page, "target-steps");
    });
    await visit(t, "/service-discovery?kind=dropped&search=spare-1", {}, async (page) => {
      await page.getByRole("button", { name: "Steps of relabelling of spare-1:9100" }).click();
      await page.locator(".steps > li", { hasText: "the target is dropped here" }).waitFor();
      await shoot(t, page, "discovery-steps");
    });
  });

  test("the overview shows queues, Alertmanagers, kernels and the life of the disk", async () => {
    await visit(t, "/status", {}, async (page) => {
      const queue = page.locator("tr", { hasText: "/receive" });
      await queue.locator(".state", { hasText: "up to date" }).waitFor({ timeout: 60_000 });
      if (t.world.alertmanager !== "") await page.locator("tr", { hasText: t.world.alertmanager }).waitFor();
      await page.locator(".pairs div", { hasText: "Kernels" }).waitFor();
      assert.equal(await page.locator(".pairs div", { hasText: "Life used" }).count(), 0, "no disk tells it here");
    });
    // A machine with an eMMC and a GPU.
    await visit(t, "/", {}, async (page) => {
      await page.route("**/api/v1/status/runtimeinfo", async (route) => {
        const response = await route.fetch();
        const body = await response.json();
        body.data.narthex.kernels = { backend: "cuda", cpu: "AVX2", device: "NVIDIA H100", cacheBytes: "1048576", cacheBudgetBytes: "4194304" };
        body.data.narthex.disk = { device: "mmcblk0", kind: "eMMC", usedPercent: 20, reserve: "normal", daysLeft: 2920 };
        await route.fulfill({ response, json: body });
      });
      await page.getByRole("link", { name: "Status" }).click();
      const fact = (name) => page.locator(".pairs div", { hasText: name }).locator("dd");
      await eventually(async () => assert.equal(await fact("Life used").innerText(), "at most 20%"));
      await eventually(async () => assert.equal(await fact("Life left").innerText(), "about 8 years, used as it was so far"));
      await eventually(async () => assert.equal(await fact("GPU").first().innerText(), "NVIDIA H100"));
      await shoot(t, page, "status-machine");
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await shoot(t, page, "status-queues");
    });
  });

  test("a thousand targets stay smooth", async () => {
    await visit(t, "/targets", {}, async (page) => {
      await page.getByText(`of ${MANY} up`).waitFor();
      assert.ok((await page.locator(".target").count()) < 80, "only what is in sight is in the document");
      const { frames, middle, worst } = await page.evaluate(async () => {
        const times = [];
        let last = performance.now();
        for (let y = 0; y < 20_000; y += 400) {
          scrollTo(0, y);
          await new Promise(requestAnimationFrame);
          times.push(performance.now() - last);
          last = performance.now();
        }
        times.sort((a, b) => a - b);
        return { frames: times.length, middle: times[times.length >> 1], worst: times.at(-1) };
      });
      console.log(`page: ${frames} frames over ${MANY} targets: median ${middle.toFixed(0)} ms, longest ${worst.toFixed(0)} ms`);
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.waitForFunction(() => {
        const rows = [...document.querySelectorAll('[aria-posinset]')];
        const last = rows.at(-1);
        return last !== undefined && last.getAttribute("aria-posinset") === last.getAttribute("aria-setsize");
      });
      await page.getByPlaceholder("Filter by address, label or error").fill("sensor-0777");
      await page.waitForFunction(() => document.querySelectorAll(".target").length === 1);
      await eventually(async () => assert.match(page.url(), /search=sensor-0777/));
    });
  });

  test("what fails says so in place", async () => {
    await visit(t, "/rules?kind=err", {}, async (page) => {
      await page.locator(".row-error", { hasText: "found duplicate series for the match group" }).waitFor({ timeout: 45_000 });
    });
    await visit(t, "/tsdb-status?limit=0", {}, async (page) => {
      await page.locator('[role="alert"]', { hasText: "limit must be a positive number" }).waitFor();
    });
  });

  test("a configuration that fails to load is announced", async () => {
    await visit(t, "/status", {}, async (page) => {
      await page.getByText(/^loaded 20/).waitFor();
      t.world.reload("nonsense: 1\n");
      await page.locator(".announce", { hasText: "Configuration reload has failed" }).waitFor();
      await page.getByText(/^the last reload failed/).waitFor();
      await shoot(t, page, "announce");
      t.world.reload();
      await page.locator(".announce").waitFor({ state: "detached" });
    });
  });

  test("dark colours follow the system, and the button", async () => {
    const ground = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    await visit(t, graphOf(RATE), { dark: true }, async (page) => {
      await plotted(page);
      assert.equal(await ground(page), "rgb(16, 20, 27)");
      await page.mouse.move(800, 400);
      await shoot(t, page, "graph-dark");
      await page.getByRole("button", { name: "Colours: system" }).click();
      await eventually(async () => assert.equal(await ground(page), "rgb(245, 246, 248)"));
      await page.reload();
      await eventually(async () => assert.equal(await ground(page), "rgb(245, 246, 248)", "the choice is remembered"));
    });
    for (const name of ["alerts", "targets", "status"]) {
      await visit(t, "/" + name, { dark: true }, async (page) => {
        await page.waitForFunction(() => document.querySelector(".skeleton") === null);
        await shoot(t, page, `${name}-dark`);
      });
    }
  });

  test("a phone shows every page without scrolling sideways", async () => {
    for (const where of [graphOf(RATE), "/query?g0.expr=up", ...PAGES.map((name) => "/" + name)]) {
      await visit(t, where, { phone: true }, async (page) => {
        await settled(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        await shoot(t, page, `phone-${where.slice(1).replace(/\?.*/, "")}`);
        assert.ok(wide <= 390, `${where} is ${wide} wide`);
      });
    }
  });

  test("the keyboard reaches everything, and everything has a name", async () => {
    for (const where of [graphOf(RATE), ...PAGES.map((name) => "/" + name)]) {
      await visit(t, where, {}, async (page) => {
        await settled(page);
        const nameless = await page.evaluate(() =>
          [...document.querySelectorAll("button, input, select, a[href], [role=button]")]
            .filter((one) => (one.ariaLabel ?? one.textContent.trim()) === "" && one.closest("label") === null)
            .map((one) => one.outerHTML),
        );
        assert.deepEqual(nameless, [], where);
        await eventually(async () => assert.equal(await page.locator("h1").count(), 1, where));
        await page.evaluate(() => document.activeElement?.blur());
        await page.keyboard.press("Tab");
        const reached = new Set();
        for (let i = 0; i < 12; ++i) {
          reached.add(await page.evaluate(() => document.activeElement?.textContent || document.activeElement?.ariaLabel));
          await page.keyboard.press("Tab");
        }
        for (const name of ["To the content", "Query", "Targets", "Local"]) assert.ok(reached.has(name), `${where}: ${[...reached]}`);
      });
    }
  });

  test("a server that goes away is told of, and the page stays", async () => {
    await visit(t, "/targets?pool=oven", { expected: /status of 503/ }, async (page) => {
      await page.locator(".target").first().waitFor();
      await page.route("**/api/v1/targets*", (route) => route.fulfill({ status: 503, body: "Service Unavailable" }));
      await page.locator('[role="alert"]', { hasText: "Service Unavailable" }).waitFor();
      assert.equal(await page.locator(".target").count(), 1);
    });
  });

  test("all of it works below a route prefix", async () => {
    const world = await startWorld(t.binary, { prefix: "/edge/prom", many: 2 });
    try {
      await visit(t, graphOf("up", { "g0.range_input": "1m" }), { world }, async (page) => {
        await plotted(page);
        await page.getByRole("link", { name: "Targets" }).click();
        await page.waitForFunction(() => location.pathname === "/edge/prom/targets");
        await page.locator(".target").first().waitFor();
        await page.reload();
        await page.locator(".target").first().waitFor();
        await page.goBack();
        await page.waitForFunction(() => location.pathname === "/edge/prom/query");
      });
      await waitFor("redirect", async () => (await fetch(world.root + "/")).url.startsWith(world.url));
    } finally {
      await world.stop();
    }
  });
}
